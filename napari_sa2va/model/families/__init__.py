"""The families of Sa2VA checkpoints: which a configuration describes, and what runs it.

A family is a module of this package with a class ``Family``, a `Backbone`, and an entry here. This
file must not import torch: configurations are read where torch does not work, too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_sa2va.model.backbone import Backbone

INTERNVL: Final = "internvl"
QWEN2_5_VL: Final = "qwen2_5_vl"
QWEN3_VL: Final = "qwen3_vl"


def _vision(values: Mapping[str, Any]) -> Mapping[str, Any]:
    vision = values.get("vision_config")
    return vision if isinstance(vision, dict) else {}


# By the module's name; the first that knows a parsed config.json wins.
_KNOWS: Final[dict[str, Callable[[Mapping[str, Any]], bool]]] = {
    INTERNVL: lambda values: isinstance(values.get("llm_config"), dict),
    QWEN3_VL: lambda values: "deepstack_visual_indexes" in _vision(values),
    QWEN2_5_VL: lambda values: "fullatt_block_indexes" in _vision(values),
}


def family_of(values: Mapping[str, Any]) -> str | None:
    """Return the family that a parsed ``config.json`` is of, None for none."""
    return next((family for family, knows in _KNOWS.items() if knows(values)), None)


def backbone_class(family: str) -> type[Backbone]:
    """Return what runs the checkpoints of a family; imports torch."""
    found: type[Backbone] = import_module(f"{__name__}.{family}").Family
    return found
