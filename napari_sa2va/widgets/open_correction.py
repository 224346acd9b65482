"""A correction that is open: of what, where, with which marks, and what was found for them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.annotation.painting import shifted
from napari_sa2va.annotation.prompts import Marks, Paint
from napari_sa2va.engine import RefineRequest
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.correction import changed_by
from napari_sa2va.viewer.entries import joined
from napari_sa2va.viewer.pointing import mask_in_frame

if TYPE_CHECKING:
    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.viewer import PlaneSnapshot
    from napari_sa2va.viewer.correction import Proposed
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.preview import Change
    from napari_sa2va.widgets.asked import Asked


@dataclass(slots=True, eq=False)
class Found:
    """What a model proposes for some marks.

    Attributes
    ----------
    masks : tuple of Proposed
        The one it chose first, then the others, best estimate first.
    at : int
        Which of them the user wants.
    detail : dict
        The request, for the log.
    """

    masks: tuple[Proposed, ...]
    at: int = 0
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def mask(self) -> Proposed:
        """The mask that the user wants."""
        return self.masks[self.at]


@dataclass(slots=True, eq=False)
class OpenCorrection:
    """One object in one plane, from the first mark until it is accepted or rejected.

    Attributes
    ----------
    asked : Asked
        Image, model and options when it was opened.
    place : PlaneSnapshot
        The plane, as it was shown then.
    objects : LabelObjects or None
        Where it goes; None while the image has no labels.
    label : int or None
        Of the object; None for a new one.
    phrase : str
        What the object is called.
    marks : Marks
    """

    asked: Asked
    place: PlaneSnapshot
    objects: LabelObjects | None
    label: int | None
    phrase: str
    marks: Marks[Found]

    @classmethod
    def begin(
        cls,
        asked: Asked,
        place: PlaneSnapshot,
        objects: LabelObjects | None,
        label: int | None,
        phrase: str = "",
    ) -> OpenCorrection:
        """Open a correction without any mark.

        Raises
        ------
        InvalidInput
            The object is locked, or was found in planes along other axes.
        """
        if label is not None and objects is not None and objects.locked(label):
            raise InvalidInput(f"Object {label} is locked. Unlock it to correct it.")
        entry = None if label is None or objects is None else objects.entry(label)
        if entry is not None:
            entry.check_axes(place.placement.index)
        opened = cls(
            asked,
            place,
            objects,
            label,
            phrase if entry is None else entry.record.phrase,
            Marks(place.placement.frame_shape),
        )
        opened.marks.base = opened._mask_now()
        return opened

    def go_on_from(self, earlier: OpenCorrection, found: Found) -> None:
        """Correct what was accepted last, where nothing has changed since: its logits say more."""
        same = (
            earlier.place.key == self.place.key
            and earlier.place.placement.frame_region == self.place.placement.frame_region
            and earlier.place.placement.orientation == self.place.placement.orientation
            and earlier.asked.model == self.asked.model
        )
        if same and not _differ(self.pixels, found.mask):
            self.marks.found[0] = replace(found)

    @property
    def name(self) -> str:
        """What it is about, for people."""
        return "the new object" if self.label is None else f"■ {self.label}"

    @property
    def pixels(self) -> tuple[Box, np.ndarray[Any, np.dtype[np.bool_]]] | None:
        """The pixels that the object has in the plane now: a box, and which of it."""
        if self.objects is None or self.label is None:
            return None
        placement = self.place.placement
        if self.objects.entry(self.label) is not None:
            return self.objects.pixels_of(self.label, placement.index)
        # Painted by hand, and no object yet.
        box = placement.region.slices
        inside = np.asarray(self.objects.labels.data[placement.where]) == self.label
        return (box, inside) if inside.any() else None

    def painted(self) -> Paint:
        """Return what the object's pixels are now, as a mark.

        Raises
        ------
        InvalidInput
            It has none in the part of the plane that is looked at.
        """
        mask = self._mask_now()
        if mask is None:
            raise InvalidInput(
                f"No pixel here has the label of {self.name}. Paint it first, with the brush of "
                "the labels layer."
            )
        return Paint(mask)

    def request(self) -> RefineRequest:
        """Return the request for all marks."""
        said = self.marks.said()
        return RefineRequest(
            self.asked.model,
            self.place.frames,
            said.points,
            said.labels,
            said.box,
            said.mask,
            None if said.earlier is None else said.earlier.mask.logits,
        )

    def change(self, found: Found) -> Change:
        """Return what a proposal would change now."""
        data, locked = None, frozenset[int]()
        if self.objects is not None:
            data = self.objects.labels.data
            locked = self.objects.locked_labels
        return changed_by(
            data,
            self.place.placement,
            self.label,
            self.pixels,
            found.mask,
            replace=self.asked.replace,
            locked=locked,
        )

    def _mask_now(self) -> PackedMask | None:
        pixels = self.pixels
        if pixels is None:
            return None
        mask = mask_in_frame(self.place.placement, *pixels)
        return PackedMask.pack(mask) if mask.any() else None


def _differ(pixels: tuple[Box, np.ndarray[Any, np.dtype[np.bool_]]] | None, mask: Proposed) -> bool:
    """Whether pixels are not just those of a mask."""
    if pixels is None:
        return True
    box, inside = pixels
    if int(np.count_nonzero(inside)) != int(np.count_nonzero(mask.inside)):
        return True
    both = joined(box, mask.box)
    origin = both[0].start, both[1].start
    sides = both[0].stop - both[0].start, both[1].stop - both[1].start
    one, other = np.zeros(sides, dtype=bool), np.zeros(sides, dtype=bool)
    one[shifted(box, origin)] = inside
    other[shifted(mask.box, origin)] = mask.inside
    return not np.array_equal(one, other)
