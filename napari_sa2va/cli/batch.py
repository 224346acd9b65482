"""``napari-sa2va batch``: a table of phrases and images, worked off cell by cell.

All questions about an image are asked at once, so that it is looked at once. Label image and table
are written after each image, the labels first: what a killed run had painted for cells that the
table still has as waiting is taken out again. So a cell names its label file before it is asked: a
file that no cell names is not of the batch, and is not written over.
"""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.annotation.records import now
from napari_sa2va.cli.batch_files import (
    check_free,
    check_same,
    file_names,
    painted_before,
    write_labels,
)
from napari_sa2va.cli.exit_codes import ExitCode, code_of, overall, unexpected
from napari_sa2va.cli.images import ImageOptions, open_plane
from napari_sa2va.cli.results import Reply, Results
from napari_sa2va.engine import ModelChoice, Request, segment_questions, shared_runner
from napari_sa2va.errors import InvalidInput, Sa2VAError
from napari_sa2va.io.atomic import check_folder
from napari_sa2va.io.batch_table import (
    FAILED,
    FOUND,
    NOT_FOUND,
    WAITING,
    Cell,
    read_cells,
    read_wanted,
    write_cells,
    write_matrix,
)
from napari_sa2va.io.pixel_size import read_pixel_size
from napari_sa2va.io.track_lock import only_one

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sa2va.cli.display import Display

_LOG: Final = logging.getLogger(__name__)
CELLS: Final = "batch.csv"
MATRIX: Final = "matrix.csv"
_LOCK: Final = ".lock"
_HOPELESS: Final = (ExitCode.CHECKPOINT, ExitCode.MEMORY)


@dataclass(frozen=True, slots=True)
class BatchJob:
    """What to do.

    Attributes
    ----------
    table : Path
    output : Path
        Folder for tables and label images.
    model : ModelChoice
    options : ImageOptions
    restart : bool
        Whether to ask everything again.
    """

    table: Path
    output: Path
    model: ModelChoice
    options: ImageOptions
    restart: bool = False


@dataclass(slots=True)
class Batch:
    """All cells, in the order of the table, and how it ended.

    Attributes
    ----------
    cells : list of Cell
    others : tuple of Cell
        Answered earlier, and not in the table any more: they stay in the folder.
    kept : int
        How many of the cells were answered earlier.
    codes : list of ExitCode
        Of the images.
    """

    cells: list[Cell]
    others: tuple[Cell, ...] = ()
    kept: int = 0
    codes: list[ExitCode] = field(default_factory=list)

    @property
    def code(self) -> ExitCode:
        """Exit code of the command."""
        return overall(self.codes)


def run_batch(job: BatchJob, display: Display, cancelled: threading.Event) -> Batch:
    """Ask all cells that are not answered yet; a failure with one image does not stop the others.

    Raises
    ------
    InvalidInput
        If the table cannot be read, or the folder has another batch or cannot be written.
    """
    table = read_wanted(job.table)
    for cell in table.cells:  # before hours of work
        try:
            segment_questions(cell.phrase)
        except InvalidInput as error:
            raise InvalidInput(f"{cell.phrase!r} of {cell.image} asks nothing. {error}") from error
    if table.unread:
        names = ", ".join(map(repr, table.unread))
        display.warn(f"{job.table.name}: only 'image' and 'phrase' are read, and not {names}.")
    check_folder(job.output)
    with only_one(job.output / _LOCK):
        earlier = read_cells(job.output / CELLS)
        before = {} if job.restart else earlier
        cells = [_kept(cell, before) for cell in table.cells]
        keys = {(cell.image, cell.phrase) for cell in cells}
        others = tuple(cell for key, cell in before.items() if key not in keys and cell.is_done)
        batch = Batch(cells, others, sum(cell.is_done for cell in cells))
        by_image: dict[str, list[int]] = {}
        for number, cell in enumerate(cells):
            by_image.setdefault(cell.image, []).append(number)
        known = {cell.image: cell.file for cell in earlier.values() if cell.file}
        files = file_names(list(by_image), known)
        for number, cell in enumerate(cells):
            if not cell.is_done:
                cells[number] = replace(cell, file=files[cell.image])
        unclaimed = {cell.file for cell in cells if not cell.is_done} - set(known.values())
        check_free(job.output, sorted(unclaimed if earlier else {MATRIX, *unclaimed}))
        check_same(job.output, _asked_how(job), restart=job.restart)
        _write(job, batch)
        unwritten = False
        for image, places in by_image.items():
            asked = [number for number in places if not cells[number].is_done]
            if not asked:
                batch.codes += [_code(cells[number]) for number in places]
                continue
            display.image(image)
            code = _image(job, batch, places, asked, files[image], display, cancelled)
            try:
                _write(job, batch)
                unwritten = False
            except InvalidInput as error:  # open in a spreadsheet, which on Windows locks it
                display.warn(f"{error} The batch goes on, and tries again after the next image.")
                unwritten = True
            for number in asked:
                _tell(cells[number], display)
            batch.codes.append(code)
            if cancelled.is_set() or code in _HOPELESS:
                break
        if _let_go(job.output, cells) or unwritten:
            _write(job, batch)
    return batch


def _kept(cell: Cell, before: dict[tuple[str, str], Cell]) -> Cell:
    earlier = before.get((cell.image, cell.phrase))
    return earlier if earlier is not None and earlier.is_done else cell


def _let_go(folder: Path, cells: list[Cell]) -> bool:
    """Name no label files that were not written: until the next run others may write them.

    Returns whether there were any.
    """
    free = [
        number
        for number, cell in enumerate(cells)
        if not cell.is_done and not (folder / cell.file).exists()
    ]
    for number in free:
        cells[number] = replace(cells[number], file="")
    return bool(free)


def _code(cell: Cell) -> ExitCode:
    return ExitCode.OK if cell.status == FOUND else ExitCode.NOT_FOUND


def _image(
    job: BatchJob,
    batch: Batch,
    places: Sequence[int],
    asked: Sequence[int],
    name: str,
    display: Display,
    cancelled: threading.Event,
) -> ExitCode:
    """Ask about one image; its cells in the batch say afterwards what became of them."""
    cells = batch.cells
    image = cells[asked[0]].image
    path = job.table.parent / image
    done = [cells[number] for number in places if cells[number].is_done]
    done += [cell for cell in batch.others if cell.image == image]
    questions = tuple(
        replace(question, phrase=question.phrase or cells[number].phrase)
        for number in asked
        for question in segment_questions(cells[number].phrase)
    )
    try:
        frames = open_plane(path, job.options)
        results = Results(path.name, frames.shape, questions, read_pixel_size(path))
        records = painted_before(job.output / name, done, results)
        for event in shared_runner().run(Request(job.model, frames, questions), cancelled):
            display.event(event)
            results.add(event)
        complete = [reply for reply in results.replies if reply.complete]
        answered = dict(zip(asked, complete, strict=False))
        _erase(results, answered)
        write_labels(job.output / name, path, results, records, answered)
    except Sa2VAError as error:
        _LOG.warning("%s: %s: %s", path, type(error).__name__, error)
        code, message = code_of(error), str(error)
    except Exception as error:  # a fault of ours with one image; the others may still do
        _LOG.exception("%s", path)
        code, message = ExitCode.FAILED, unexpected(error)
    else:
        for number, reply in answered.items():
            cells[number] = _answered(cells[number], reply, results, name)
        if cancelled.is_set():
            return ExitCode.CANCELLED
        found = any(cells[number].status == FOUND for number in places)
        return ExitCode.OK if found else ExitCode.NOT_FOUND
    finally:
        shared_runner().clear_cache()  # nothing is asked about this image again
    for number in asked:
        # The next run asks what was not reached, and what failed.
        status = WAITING if code == ExitCode.CANCELLED else FAILED
        cells[number] = replace(cells[number], status=status, message=message)
    return code


def _erase(results: Results, answered: dict[int, Reply]) -> None:
    """Take out the masks of an answer that was cancelled: its cell is asked again."""
    counted = {label for reply in answered.values() for label in reply.labels}
    for row in results.objects:
        if row.label not in counted:
            results.labels[results.labels == row.label] = 0


def _answered(cell: Cell, reply: Reply, results: Results, name: str) -> Cell:
    labels = tuple(label for label in reply.labels if label)
    rows = [row for row in results.objects if row.label in labels]
    scores = [row.score for row in rows if not math.isnan(row.score)]
    notes = []
    if reply.unknown_words:
        notes.append(f"The model was not taught: {', '.join(reply.unknown_words)}.")
    if reply.cut_off:
        notes.append("The answer is cut off at the greatest length.")
    if len(labels) < len(reply.labels):
        notes.append("Some masks lie wholly under objects of earlier phrases.")
    model = results.model
    return replace(
        cell,
        status=FOUND if labels else NOT_FOUND,
        objects=len(labels),
        labels=labels,
        score=sum(scores) / len(scores) if scores else None,
        area_px=sum(row.area_px for row in rows),
        answer=" ".join(reply.answer.split()),
        message=" ".join(notes),
        file=name if labels else "",
        model=model.name if model else "",
        weights=model.weights if model else "",
        created=now(),
    )


def _asked_how(job: BatchJob) -> dict[str, Any]:
    """Return the settings that all answers in a folder have in common, as JSON has them."""
    options = asdict(job.options).items()
    return {
        "model": job.model.name,
        "dtype": job.model.dtype,
        **{key: list(value) if isinstance(value, tuple) else value for key, value in options},
    }


def _write(job: BatchJob, batch: Batch) -> None:
    cells = [*batch.cells, *batch.others]
    write_cells(job.output / CELLS, cells)
    write_matrix(job.output / MATRIX, cells)


def _tell(cell: Cell, display: Display) -> None:
    score = f", score {cell.score:.2f}" if cell.score is not None else ""
    found = f"{cell.objects} found{score}" if cell.status == FOUND else cell.status
    line = f"{cell.image}: {cell.phrase}: {found}"
    if cell.status == FAILED:
        display.complain(f"{line}: {cell.message}")
        return
    display.say(line)
    if cell.message:
        display.warn(f"  {cell.message}")
