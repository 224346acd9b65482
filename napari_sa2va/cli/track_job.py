"""What ``napari-sa2va track`` is to do, and how one run is told from another."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from napari_sa2va.engine.planes import first_planes, parse_planes, spread_planes
from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sa2va.cli.images import ImageOptions
    from napari_sa2va.cli.stacks import Stack
    from napari_sa2va.engine import ModelChoice, Question
    from napari_sa2va.model.track_state import Direction, Method

Format = Literal["tiff", "zarr", "csv"]
Range = tuple[int, int]

KEY_WORDS: Final = ("current", "first", "middle", "spread", "first5")
_LIST: Final = re.compile(r"[\d\s,:–-]*\d[\d\s,:–-]*")  # noqa: RUF001
_RANGE: Final = re.compile(r"\s*(\d+)\s*[-–:]\s*(\d+)\s*")  # noqa: RUF001

# How each part of a run's identity is called in a sentence.
_NAMES: Final = {
    "file": "file",
    "bytes": "size of the file",
    "modified": "time at which the file was changed",
    "axis": "axis",
    "at": "place on the other axes",
    "contrast": "contrast",
    "questions": "texts",
    "keys": "keys",
    "method": "method",
    "direction": "direction",
    "check_every": "--check-every",
    "reseed": "--reseed",
    "sam2_file": "--sam2-file",
    "model": "model",
    "dtype": "dtype",
}


@dataclass(frozen=True, slots=True)
class TrackJob:
    """What to follow through a stack, how, and where to write it.

    Attributes
    ----------
    axis : str or None
        Name or number of the stack's axis; None for the one that suggests itself.
    keys : str
        One of `KEY_WORDS`, or planes.
    within : (int, int) or None
        First plane, and the one after the last; None for all.
    sam2_file : Path or None
        SAM2's original decoder, for consistent tracking with a model that has none; None for the
        file that was fetched, if there is one (`with_fetched_decoder`).
    restart : bool
        Whether an earlier run in the same place is deleted first.
    """

    questions: tuple[Question, ...]
    model: ModelChoice
    output: Path
    formats: tuple[Format, ...]
    options: ImageOptions
    axis: str | None = None
    keys: str = "current"
    direction: Direction = "both"
    method: Method | None = None
    within: Range | None = None
    check_every: int = 0
    reseed: bool = False
    sam2_file: Path | None = None
    restart: bool = False


def with_fetched_decoder(job: TrackJob, said: Mapping[str, Any] | None) -> TrackJob:
    """Take SAM 2.0's fetched file where consistent tracking needs one, and none was named.

    Parameters
    ----------
    job : TrackJob
    said : mapping, optional
        What is kept of the run to go on from: one that began without the file goes on without it.
    """
    if job.sam2_file is not None or job.method == "official":
        return job
    earlier = said.get("job") if isinstance(said, dict) else None
    if isinstance(earlier, dict) and earlier.get("sam2_file") is None:
        return job
    from napari_sa2va.zoo.sam2 import sam2_file_for

    return replace(job, sam2_file=sam2_file_for(job.model.name))


def check_keys(text: str) -> str:
    """Return what ``--keys`` says, if it is a known word or could be planes.

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    word = text.strip().lower()
    if word in KEY_WORDS or _LIST.fullmatch(word):
        return word
    raise InvalidInput(f"Give {', '.join(KEY_WORDS)}, or planes such as 0,5-9,20; not {text!r}.")


def parse_range(text: str) -> Range:
    """Read ``--range``: the first and the last plane, such as ``10-49``.

    Returns
    -------
    (int, int)
        The first plane, and the one after the last.

    Raises
    ------
    InvalidInput
        If it is no range.
    """
    match = _RANGE.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise InvalidInput(f"A range is its first and its last plane, such as 10-49, not {text!r}.")
    return int(match[1]), int(match[2]) + 1


def chosen_range(job: TrackJob, stack: Stack) -> Range:
    """Return the planes to track.

    Raises
    ------
    InvalidInput
        If the stack ends before them.
    """
    start, stop = job.within or (0, stack.length)
    if stop > stack.length:
        raise InvalidInput(
            f"{stack.path.name} has planes 0 to {stack.length - 1} along {stack.axis}; the range "
            f"goes to {stop - 1}."
        )
    return start, stop


def chosen_keys(job: TrackJob, stack: Stack, within: Range) -> tuple[int, ...]:
    """Return the planes that the model looks at.

    Raises
    ------
    InvalidInput
        If one of them is not in the range.
    """
    start, stop = within
    middle = (start + stop - 1) // 2
    match job.keys:
        case "current":
            return (stack.shown_first if start <= stack.shown_first < stop else middle,)
        case "first":
            return (start,)
        case "middle":
            return (middle,)
        case "spread":
            return spread_planes(start, stop)
        case "first5":
            return first_planes(start, stop)
    return parse_planes(job.keys, start, stop)


def identity(job: TrackJob, stack: Stack) -> dict[str, Any]:
    """Return what tells a run from others, as values that JSON knows.

    The range is left out, since a run can be extended, and so is the device. Words for planes to
    look at stand for those of the first run, whatever the range has become.
    """
    size, modified = _of_file(stack.path)
    return {
        "file": stack.path.resolve().name,
        "bytes": size,
        "modified": modified,
        "axis": stack.axis,
        "at": stack.at,
        "contrast": _listed(job.options.contrast),
        "questions": [question.text for question in job.questions],
        "keys": job.keys
        if job.keys in KEY_WORDS
        else list(parse_planes(job.keys, 0, stack.length)),
        "method": job.method,
        "direction": job.direction,
        "check_every": job.check_every,
        "reseed": job.reseed,
        "sam2_file": job.sam2_file.name if job.sam2_file else None,
        "model": job.model.name,
        "dtype": job.model.dtype,
    }


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Name what two runs differ in; empty where they are the same."""
    names = [name for key, name in _NAMES.items() if one.get(key) != other.get(key)]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _listed(values: tuple[Any, ...] | None) -> list[Any] | None:
    return None if values is None else list(values)


def _of_file(path: Path) -> tuple[int, int]:
    """Return the bytes of a file, or of all in a folder, and when it was last changed (in ns)."""
    if not path.is_dir():
        about = path.stat()
        return about.st_size, about.st_mtime_ns
    found = [(Path(folder) / name).stat() for folder, _, names in os.walk(path) for name in names]
    return sum(one.st_size for one in found), max((one.st_mtime_ns for one in found), default=0)
