"""A correction becomes an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.correction import accept
from napari_sa2va.viewer.labels import check_target
from napari_sa2va.widgets.correct_target import Accepted

if TYPE_CHECKING:
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.results import Results
    from napari_sa2va.widgets.open_correction import Found, OpenCorrection


def goes_into(viewer: Any, results: Results, opened: OpenCorrection) -> LabelObjects:
    """Return the objects that a correction is of, whatever layers have come since.

    Raises
    ------
    Sa2VAError
        The layer cannot be written to.
    """
    asked, placement = opened.asked, opened.place.placement
    if opened.objects is None:
        return results.prepared(asked.images, placement, asked.target)
    labels = opened.objects.labels
    if labels not in viewer.layers:
        raise InvalidInput("The labels layer of this correction was deleted. Reject it.")
    check_target(labels, placement)
    return opened.objects


def made(opened: OpenCorrection, objects: LabelObjects, found: Found) -> Accepted:
    """Write what was found for a correction, as one step that can be undone.

    Raises
    ------
    Sa2VAError
        It cannot be written.
    """
    objects.finish_replay()  # the change is of pixels as they are
    label = accept(
        objects,
        opened.place.placement.index,
        opened.label,
        opened.change(found),
        found.mask,
        phrase=opened.phrase,
        model=opened.asked.model.name,
        detail={**found.detail, "candidate": found.at},
    )
    return Accepted(objects, label, opened, found)
