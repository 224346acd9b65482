"""``napari-sa2va track``: expressions through a stack or a movie, kept on the disk as it goes."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sa2va.cli.exit_codes import ExitCode, code_of
from napari_sa2va.cli.stacks import open_tracked
from napari_sa2va.cli.track_files import check_labels, write_files
from napari_sa2va.cli.track_job import (
    chosen_keys,
    chosen_range,
    differences,
    identity,
    with_fetched_decoder,
)
from napari_sa2va.cli.track_notes import TrackNotes
from napari_sa2va.engine import (
    FrameDone,
    ModelReady,
    TrackRequest,
    TrackSaved,
    TrackStarted,
    shared_runner,
)
from napari_sa2va.engine.planes import format_planes
from napari_sa2va.errors import InvalidInput, Sa2VAError
from napari_sa2va.io.atomic import check_folder
from napari_sa2va.io.track_csv import TrackRow, summed_up
from napari_sa2va.io.track_folder import FolderRefused, TrackFolder
from napari_sa2va.io.track_records import FrameRecord, Sighting, centre, paint_labels

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from napari_sa2va.cli.display import Display
    from napari_sa2va.cli.stacks import Stack
    from napari_sa2va.cli.track_job import TrackJob
    from napari_sa2va.model.track_state import TrackState

_LOG: Final = logging.getLogger(__name__)

FOLDER: Final = "{stem}_track"


@dataclass(slots=True)
class TrackOutcome:
    """What became of a run.

    Attributes
    ----------
    records : list of FrameRecord
        Of every frame that is finished, this run's and earlier ones'.
    rows : list of TrackRow
        Of the objects, and of the expressions that were not found.
    """

    stack: Stack
    folder: Path
    notes: TrackNotes
    code: ExitCode
    message: str = ""
    records: list[FrameRecord] = field(default_factory=list)
    rows: list[TrackRow] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def objects(self) -> list[TrackRow]:
        """The rows of objects that were followed."""
        return [row for row in self.rows if row.label]


def track_stack(
    path: Path, job: TrackJob, display: Display, cancelled: threading.Event
) -> TrackOutcome:
    """Follow expressions through a stack; goes on from an earlier run of the same job.

    Raises
    ------
    Sa2VAError
        If nothing could be tracked, or nothing can be written. What fails when there are finished
        frames is told by the outcome.
    """
    stack = open_tracked(path, job.axis, job.options)
    _check_output(path, job.output)
    check_labels(job, stack.stem)
    display.image(path.name)
    folder = TrackFolder(job.output / FOLDER.format(stem=stack.stem))
    with folder.held():
        if job.restart:
            folder.clear()
        said = folder.read_job()
        job = with_fetched_decoder(job, said)
        notes = _notes(job, stack, folder, said)
        outcome = TrackOutcome(stack, folder.path, notes, ExitCode.OK)
        try:
            with closing(folder):
                _follow(job, stack, folder, notes, display, cancelled)
        except FolderRefused:
            raise
        except Sa2VAError as error:
            if not _in_range(notes, folder):
                raise
            _LOG.warning("%s: %s: %s", path, type(error).__name__, error)
            outcome.code, outcome.message = code_of(error), str(error)
        finally:
            shared_runner().clear_cache()  # nothing is asked about this stack again
        outcome.records = _in_range(notes, folder)
        return _finished(outcome, job, folder)


def _check_output(path: Path, output: Path) -> None:
    if path.is_dir() and output.resolve().is_relative_to(path.resolve()):
        raise InvalidInput(
            f"The files would be written into {path}, among the planes. Choose a folder outside "
            "with --output."
        )
    check_folder(output)


def _notes(
    job: TrackJob, stack: Stack, folder: TrackFolder, said: dict[str, Any] | None
) -> TrackNotes:
    """Return what is known of the earlier run of this job, or the notes of a new one."""
    within = chosen_range(job, stack)
    this = identity(job, stack)
    if said is None:
        return TrackNotes(this, within, chosen_keys(job, stack, within))
    notes = TrackNotes.from_json(said)
    way_out = (
        "Choose another --output, or start over with --restart, which deletes what is kept there."
    )
    if differing := differences(notes.identity, this):
        raise InvalidInput(f"{folder.path} holds another run: it differs in {differing}. {way_out}")
    if not folder.has_state:  # ended before its first frames were saved
        return TrackNotes(this, within, chosen_keys(job, stack, within))
    if not all(within[0] <= key < within[1] for key in notes.keys):
        raise InvalidInput(
            f"{folder.path} holds a run that looked at {format_planes(notes.keys)}: --range must "
            f"hold all of that. {way_out}"
        )
    return replace(notes, within=within)


def _follow(
    job: TrackJob,
    stack: Stack,
    folder: TrackFolder,
    notes: TrackNotes,
    display: Display,
    cancelled: threading.Event,
) -> None:
    """Run what is left of a job, and keep every frame."""
    state = _earlier_state(folder, notes)
    if state is None:
        folder.clear()  # frames without a state count for nothing
    folder.write_job(notes.as_json())
    if state is not None:
        left = replace(state, within=notes.within).left
        if not left:
            display.warn(f"All planes were tracked before: {folder.path} has them.")
            return
        display.warn(
            f"Going on with {folder.path}: {len(state.done)} planes are done, {left} are left."
        )
    request = TrackRequest(
        job.model,
        stack.frames,
        job.questions,
        keys=notes.keys,
        method=job.method,
        direction=job.direction,
        within=notes.within,
        check_every=job.check_every,
        reseed=job.reseed,
        sam2_file="" if job.method == "official" else str(job.sam2_file or ""),
        resume=state,
    )
    opened = state is not None
    # Closed at once when a frame cannot be kept: the model must not go on behind our back.
    events: Any = shared_runner().run(request, cancelled)
    with closing(events):
        for event in events:
            display.event(event)
            notes.add(event, job.questions)
            if isinstance(event, ModelReady) and request.sam2_file and not event.consistent:
                notes.sam2_file = request.sam2_file
                display.warn(f"SAM2's original decoder is read from {request.sam2_file}.")
            if isinstance(event, TrackStarted):
                if not opened:
                    folder.begin(stack.length, stack.frames.shape, len(event.objects), stack.axis)
                    opened = True
                folder.write_job(notes.as_json())
            elif isinstance(event, FrameDone):
                _keep(event, folder)
            elif isinstance(event, TrackSaved) and opened:
                folder.save(event.state.save)


def _earlier_state(folder: TrackFolder, notes: TrackNotes) -> TrackState | None:
    if not folder.has_state:
        return None
    from napari_sa2va.model.track_state import TrackState

    try:
        state = TrackState.load(folder.state_path)
    except InvalidInput as error:
        raise InvalidInput(f"{error} The option --restart does that.") from error
    folder.go_on(state.done)
    return state


def _keep(event: FrameDone, folder: TrackFolder) -> None:
    plane = paint_labels(event.masks, event.masks[0].shape, folder.dtype)
    visible = np.bincount(plane.ravel(), minlength=len(event.masks) + 1)
    seen = zip(event.masks, event.ious, event.scores, event.present, event.flags, strict=True)
    sightings = tuple(
        Sighting(mask.area, int(visible[label]), *centre(mask), iou, score, present, flags)
        for label, (mask, iou, score, present, flags) in enumerate(seen, start=1)
    )
    folder.add(plane, FrameRecord(event.index, event.seed, sightings))


def _in_range(notes: TrackNotes, folder: TrackFolder) -> list[FrameRecord]:
    """Return the finished frames of the range; an earlier run may have gone further."""
    return [record for record in folder.records() if record.frame in range(*notes.within)]


def _finished(outcome: TrackOutcome, job: TrackJob, folder: TrackFolder) -> TrackOutcome:
    """Sum up what was found, and write the files."""
    notes = outcome.notes
    stopped = notes.done is not None and notes.done.cancelled
    if stopped:
        start, stop = notes.within
        outcome.code = ExitCode.CANCELLED
        outcome.message = (
            f"cancelled with {len(outcome.records)} planes of {start} to {stop - 1} done. Give the "
            "same command again to go on."
            if outcome.records
            else "cancelled before the first plane was tracked"
        )
        if not outcome.records:
            return outcome
    elif outcome.message:
        outcome.message += (
            f" The {len(outcome.records)} planes that were tracked until then are kept, and the "
            "same command goes on from there."
        )
    outcome.rows = list(_rows(outcome))
    if outcome.code is ExitCode.OK and not any(row.frames for row in outcome.rows):
        outcome.code = ExitCode.NOT_FOUND
    try:
        outcome.files = write_files(outcome, job, folder)
    except InvalidInput as error:
        raise InvalidInput(
            f"{error} The tracking itself is kept in {folder.path}: the same command writes the "
            "files from it."
        ) from error
    return outcome


def _rows(outcome: TrackOutcome) -> Iterator[TrackRow]:
    notes = outcome.notes
    for number, reply in enumerate(notes.replies):
        row = TrackRow(
            stack=outcome.stack.path.name,
            label=0,
            phrase=reply.phrase or "",
            question=reply.question,
            answer=reply.answer,
            model=notes.model["name"] if notes.model else "",
            created=notes.created,
        )
        if not reply.labels:
            yield row
        for label in reply.labels:
            followed = notes.objects[label - 1]
            assert followed.question == number
            yield summed_up(replace(row, label=label, phrase=followed.phrase), outcome.records)
