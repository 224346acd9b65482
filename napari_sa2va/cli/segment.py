"""``napari-sa2va segment``: expressions over image files, to files."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from napari_sa2va.cli.exit_codes import ExitCode, code_of, overall, status_of, unexpected
from napari_sa2va.cli.images import ImageOptions, open_plane
from napari_sa2va.cli.results import Results
from napari_sa2va.engine import ModelChoice, Question, Request, shared_runner
from napari_sa2va.errors import InvalidInput, Sa2VAError
from napari_sa2va.io.atomic import check_folder, place_of
from napari_sa2va.io.objects_csv import write_objects
from napari_sa2va.io.own_labels import check_own
from napari_sa2va.io.pixel_size import read_pixel_size

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.cli.display import Display
    from napari_sa2va.frames import FrameSource

_LOG: Final = logging.getLogger(__name__)

Format = Literal["tiff", "png", "csv"]
COMMAND: Final = "napari-sa2va segment"
"""By it we know our own labels again."""
FILE_NAMES: Final[dict[Format, str]] = {
    "tiff": "{stem}_labels.tif",
    "png": "{stem}_overlay.png",
    "csv": "{stem}_objects.csv",
}
# Errors that the next image would meet as well.
_HOPELESS: Final = (ExitCode.CHECKPOINT, ExitCode.MEMORY)


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with each image."""

    questions: tuple[Question, ...]
    model: ModelChoice
    output: Path
    formats: tuple[Format, ...]
    options: ImageOptions


@dataclass(slots=True)
class Outcome:
    """What became of one image."""

    image: Path
    code: ExitCode
    message: str = ""
    results: Results | None = None
    files: dict[Format, Path] = field(default_factory=dict)


def segment_images(
    images: Sequence[Path], job: Job, display: Display, cancelled: threading.Event
) -> list[Outcome]:
    """Segment images one after the other; a failure with one does not stop the others.

    Raises
    ------
    InvalidInput
        If two images would be written to the same files, or one over another or over labels of
        others, or nothing can be written.
    """
    _check_names(images)
    _check_targets(images, job)
    check_folder(job.output)
    if "tiff" in job.formats:
        for path in images:
            check_own(job.output / FILE_NAMES["tiff"].format(stem=path.stem), COMMAND)
    outcomes: list[Outcome] = []
    for path in images:
        display.image(_name(path))
        outcome = _segment(path, job, display, cancelled)
        outcomes.append(outcome)
        _tell(outcome, display)
        if cancelled.is_set() or outcome.code in _HOPELESS:
            break
    results = [outcome.results for outcome in outcomes if outcome.results]
    replies = [reply for result in results for reply in result.replies]
    warn_of_words(dict.fromkeys(word for r in replies for word in r.unknown_words), display)
    return outcomes


def warn_of_words(words: Iterable[str], display: Display) -> None:
    """Tell people which words the model was not taught, if there are any."""
    if words := list(words):
        display.warn(
            f"This model was not taught: {', '.join(words)}. It read that letter by letter, so do "
            "not rely on the answer."
        )


def _check_names(images: Sequence[Path]) -> None:
    by_stem = defaultdict(list)
    for path in images:
        by_stem[path.stem.casefold()].append(path)
    for paths in by_stem.values():
        if len(paths) > 1:
            raise InvalidInput(
                f"{' and '.join(map(str, paths))} would be written to the same files. Segment "
                "them one by one, each with an --output of its own."
            )


def _check_targets(images: Sequence[Path], job: Job) -> None:
    """Refuse results in place of images: `*.tif` takes in labels that somebody made by hand."""
    targets = {
        place_of(job.output / FILE_NAMES[kind].format(stem=path.stem)): path
        for path in images
        for kind in job.formats
    }
    for path in images:
        source = targets.get(place_of(path))
        if source is not None:
            raise InvalidInput(
                f"{path} is among the images, and results of {source} would be written over it. "
                "Leave it out, or choose another folder with --output."
            )


def _segment(path: Path, job: Job, display: Display, cancelled: threading.Event) -> Outcome:
    try:
        frames = open_plane(path, job.options)
        results = Results(path.name, frames.shape, job.questions, read_pixel_size(path))
        for event in shared_runner().run(Request(job.model, frames, job.questions), cancelled):
            display.event(event)
            results.add(event)
        stopped = results.done is not None and results.done.cancelled
        if stopped and not results.replies:
            return Outcome(path, ExitCode.CANCELLED, "cancelled")
        files = write_files(job.output, path.stem, job.formats, frames, results)
    except Sa2VAError as error:
        _LOG.warning("%s: %s: %s", path, type(error).__name__, error)
        return Outcome(path, code_of(error), str(error))
    except Exception as error:  # a fault of ours with one image; the others may still do
        _LOG.exception("%s", path)
        return Outcome(path, ExitCode.FAILED, unexpected(error))
    finally:
        shared_runner().clear_cache()  # nothing is asked about this image again
    if stopped:
        return Outcome(path, ExitCode.CANCELLED, "cancelled", results, files)
    code = ExitCode.OK if results.objects else ExitCode.NOT_FOUND
    return Outcome(path, code, "", results, files)


def write_files(
    folder: Path, stem: str, formats: Sequence[Format], frames: FrameSource, results: Results
) -> dict[Format, Path]:
    """Write what was found; return where.

    Raises
    ------
    InvalidInput
        If a file cannot be written.
    """
    files = {kind: folder / FILE_NAMES[kind].format(stem=stem) for kind in formats}
    if "tiff" in files:
        from napari_sa2va.io.labels_tiff import write_labels

        write_labels(
            files["tiff"],
            results.labels,
            phrases=results.captions,
            pixel_size=results.pixel_size,
            unit="µm" if results.pixel_size else None,
            software=COMMAND,
        )
    if "png" in files:
        from napari_sa2va.io.overlay import write_overlay

        image: NDArray[np.uint8] = frames[0]
        write_overlay(files["png"], image, results.labels, results.captions)
    if "csv" in files:
        write_objects(files["csv"], results.rows)
    _LOG.info("Wrote %s", ", ".join(str(path) for path in files.values()))
    return files


def _name(path: Path) -> str:
    return path.name or str(path)  # "." and "/" have no name


def _tell(outcome: Outcome, display: Display) -> None:
    name = _name(outcome.image)
    if outcome.message:
        display.complain(f"{name}: {outcome.message}")
    if outcome.results is not None:
        print_results(name, outcome.results, outcome.files, display)


def print_results(
    name: str, results: Results, files: Mapping[Format, Path], display: Display
) -> None:
    """Tell people what was found in one image, and where it was written."""
    for reply in results.replies:
        display.say(f"{name}: {reply.phrase or reply.question} → {reply.readable}")
    warn_of_cut_answers(name, results, display)
    for row in results.objects:
        display.say(f"  {row.label}  {row.phrase}  score {row.score:.2f}  {row.area_px} pixels")
    for path in files.values():
        display.say(f"  wrote {path}")


def warn_of_cut_answers(name: str, results: Results, display: Display) -> None:
    """Tell people which answers ended at the model's greatest length."""
    for reply in results.replies:
        if reply.cut_off:
            display.warn(
                f"{name}: the answer to '{reply.phrase or reply.question}' is cut off at the "
                "greatest length, so objects may be missing. Ask for fewer at a time."
            )


def exit_code(images: Sequence[Path], outcomes: Sequence[Outcome]) -> ExitCode:
    """Return the code of the whole command; images that were not reached count as cancelled."""
    codes = [outcome.code for outcome in outcomes]
    if len(outcomes) < len(images) and not set(codes) & set(_HOPELESS):
        codes.append(ExitCode.CANCELLED)
    return overall(codes)


def as_json(images: Sequence[Path], outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Describe each image's outcome; those that were not reached are ``"not run"``."""
    described = [_describe(outcome) for outcome in outcomes]
    missing = [{"image": str(path), "status": "not run"} for path in images[len(outcomes) :]]
    return described + missing


def _describe(outcome: Outcome) -> dict[str, Any]:
    described: dict[str, Any] = {
        "image": str(outcome.image),
        "status": status_of(outcome.code),
    }
    if outcome.message:
        described["message"] = outcome.message
    if (results := outcome.results) is not None:
        described |= describe_results(results)
        described["files"] = {kind: str(path) for kind, path in outcome.files.items()}
    return described


def describe_results(results: Results) -> dict[str, Any]:
    """Return what was found as values that JSON knows; what is not known is None."""
    model = results.model
    return {
        "height": results.shape[0],
        "width": results.shape[1],
        "model": None
        if model is None
        else {"name": model.name, "device": model.device, "dtype": model.dtype},
        "seconds": results.done.seconds if results.done else None,
        "replies": [asdict(reply) for reply in results.replies],
        "objects": [
            {
                key: None if isinstance(value, float) and math.isnan(value) else value
                for key, value in asdict(row).items()
                if key not in ("image", "model")
            }
            for row in results.objects
        ],
    }
