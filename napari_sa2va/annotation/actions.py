"""What happened to the objects of a layer, one completed thing at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Where: TypeAlias = tuple[slice, ...]
"""A box of a label array: one slice an axis."""


@dataclass(frozen=True, slots=True)
class Action:
    """One completed thing.

    Attributes
    ----------
    kind : str
        ``"run"``, ``"track"``, ``"refine"``, ``"paint"`` (a stroke of napari's), ``"undo"``,
        ``"redo"``, ``"rename"``, ``"merge"`` and so on.
    text : str
        For people, such as ``"Rename 3"``.
    touched : tuple of Where
        Boxes of the label array that hold all pixels that changed, and perhaps more.
    labels : tuple of int
        Whom it was about.
    detail : mapping
        What a log should keep beside, fit for JSON: the parameters of a run.
    takes_back : object
        The step that this one takes back for one object; of this process only, and in no log.
    """

    kind: str
    text: str
    touched: tuple[Where, ...] = ()
    labels: tuple[int, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    takes_back: object = field(default=None, compare=False, repr=False)
