"""One object found or corrected by a loaded model, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.engine.events import Looking, RefinedMask, RefineDone
from napari_sa2va.engine.reading import only_frame
from napari_sa2va.engine.tracking import use_decoder

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from napari_sa2va.engine.events import Event
    from napari_sa2va.engine.request import RefineRequest
    from napari_sa2va.model import Candidate, Sa2VA


def refine(model: Sa2VA, request: RefineRequest, cancelled: threading.Event) -> Iterator[Event]:
    """Yield the events of a correction: `Looking` and `RefineDone`.

    Raises
    ------
    CheckpointError
        If the file of SAM2 cannot be read.
    Cancelled
        If `cancelled` was set meanwhile.
    """
    # Not that which a tracking left: the same clicks would find something else after it.
    use_decoder(model, request.sam2_file)
    yield Looking()
    found = model.refine(
        only_frame(request.frames),
        request.points,
        request.labels,
        request.box,
        None if request.mask is None else request.mask.unpack(),
        request.previous,
        cancelled,
    )
    others = tuple(_plain(candidate) for candidate in found.candidates)
    yield RefineDone(*_plain(found), others, found.present)


def _plain(one: Candidate) -> RefinedMask:
    return RefinedMask(one.mask, one.logits, one.iou, one.mean_probability)
