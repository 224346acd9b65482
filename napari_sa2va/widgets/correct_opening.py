"""Which object a mark is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer import snapshot
from napari_sa2va.viewer.pointing import in_frame, label_at
from napari_sa2va.widgets.open_correction import OpenCorrection

if TYPE_CHECKING:
    from napari_sa2va.viewer.results import Results
    from napari_sa2va.widgets.asked import Asked
    from napari_sa2va.widgets.correct_target import CorrectTarget


def opening(
    viewer: Any,
    results: Results,
    asked: Asked,
    target: CorrectTarget,
    *,
    positive: bool,
    world: Any = None,
) -> OpenCorrection | None:
    """Return the correction that a mark in view would open.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    results : Results
    asked : Asked
    target : CorrectTarget
    positive : bool
        What the mark says.
    world : array-like of float, optional
        Where it is, if it is a click: one on another object chooses that.

    Returns
    -------
    OpenCorrection or None
        None where a click has chosen another object instead.

    Raises
    ------
    Sa2VAError
        No mark can be made there.
    """
    place = snapshot(viewer, asked.images, asked.look_at)
    objects = results.existing(asked.images, place.placement, asked.target)
    target.follow(objects)
    label, last = target.label, target.last
    if world is not None and positive and objects is not None and not target.new:
        there = label_at(objects, place.placement, in_frame(viewer, place.placement, world))
        if there not in (0, label) and (label is None or not asked.replace):
            objects.labels.selected_label = there
            return None
    opened = OpenCorrection.begin(asked, place, objects, label, target.phrase)
    if not positive and opened.marks.base is None:
        raise InvalidInput("Click in the object first, then take away what is too much.")
    if last is not None and last.objects is objects and last.label == label:
        opened.go_on_from(last.opened, last.found)
    return opened
