"""What a tracking found, frame by frame, as lines of a file that only ever grows."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.annotation.packed import PackedMask


@dataclass(frozen=True, slots=True)
class Sighting:
    """One object in one frame.

    Attributes
    ----------
    area_px : int
        Pixels of the mask; 0 where the object is not there.
    labelled_px : int
        Pixels that carry its label: fewer where an earlier object has them.
    row, column : float
        Centre of the mask in pixels, from the top left pixel's centre; nan without a mask.
    iou : float
        SAM2's own estimate of the mask's IoU, 0 to 1.
    score : float
        Mean probability inside the mask, 0 to 1; nan without one.
    present : float
        Probability that the object is there, 0 to 1.
    flags : tuple of str
        What looks like drift; see `napari_sa2va.model.drift`.
    """

    area_px: int
    labelled_px: int
    row: float
    column: float
    iou: float
    score: float
    present: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """All objects of a run in one frame, in the order of their labels, 1 to n."""

    frame: int
    seed: bool
    objects: tuple[Sighting, ...]


def paint_labels(
    masks: Sequence[PackedMask], shape: tuple[int, int], dtype: np.dtype[Any]
) -> NDArray[np.unsignedinteger[Any]]:
    """Paint the masks of a frame with labels 1 to n; where they overlap the first one wins."""
    plane: NDArray[np.unsignedinteger[Any]] = np.zeros(shape, dtype)
    for label, mask in enumerate(masks, start=1):
        under = plane[mask.box]
        under[mask.inside & (under == 0)] = label
    return plane


def centre(mask: PackedMask) -> tuple[float, float]:
    """Return the row and column of a mask's centre; nan for an empty one."""
    if not mask.area:
        return math.nan, math.nan
    inside = mask.inside
    rows, columns = (side.start for side in mask.box)
    down = float(np.average(np.arange(inside.shape[0]), weights=inside.sum(axis=1)))
    across = float(np.average(np.arange(inside.shape[1]), weights=inside.sum(axis=0)))
    return rows + down, columns + across


def to_line(record: FrameRecord) -> str:
    """Write a record as one line of JSON, its end included; what is not known (nan) is null."""
    said = {"frame": record.frame, "seed": record.seed, "objects": []}
    said["objects"] = [
        {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(one).items()
        }
        for one in record.objects
    ]
    return json.dumps(said, allow_nan=False) + "\n"


def read_records(path: Path) -> Iterator[FrameRecord]:
    """Yield the records of a file; a last line that was cut short ends it.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open(encoding="utf-8") as file:
        for line in file:
            record = _record(line)
            if record is None:
                return
            yield record


def _record(line: str) -> FrameRecord | None:
    try:
        said = json.loads(line)
        objects = tuple(_sighting(one) for one in said["objects"])
        return FrameRecord(int(said["frame"]), bool(said["seed"]), objects)
    except (ValueError, KeyError, TypeError):
        return None


def _sighting(said: dict[str, Any]) -> Sighting:
    known = {key: math.nan if value is None else value for key, value in said.items()}
    return Sighting(**known | {"flags": tuple(said["flags"])})
