"""What a run has found is selected, unless the user is busy with something else by then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari.layers import Labels

if TYPE_CHECKING:
    from napari_sa2va.viewer.run import LabelRun
    from napari_sa2va.viewer.track_run import TrackRun
    from napari_sa2va.widgets.active_run import ActiveRun

_AT_REST: Final = ("pan_zoom", "transform")


def select_found(viewer: Any, run: ActiveRun, result: LabelRun | TrackRun) -> None:
    """Select the last object of a run, and its layer.

    Who has a brush in hand, or went to another layer while the run went on, keeps both.
    """
    labels, active = result.objects.labels, viewer.layers.selection.active
    painting = isinstance(active, Labels) and active.mode not in _AT_REST
    if painting or active not in (None, run.active, labels, *run.asked.images):
        return
    viewer.layers.selection.active = labels
    if result.labels:
        labels.selected_label = result.labels[-1]
