"""Annotate images, stacks and movies by language, with Sa2VA, in napari."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sa2va.model import Sa2VA

__all__ = ["Sa2VA", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # torch takes seconds to import: only those who ask for the model pay for it.
    if name == "Sa2VA":
        from napari_sa2va.model import Sa2VA

        return Sa2VA
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
