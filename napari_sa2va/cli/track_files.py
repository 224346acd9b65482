"""The files that a tracking ends with."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.io.own_labels import WRITTEN_BY, check_own
from napari_sa2va.io.track_csv import frame_rows, write_frames, write_tracks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.cli.track import TrackOutcome
    from napari_sa2va.cli.track_job import TrackJob
    from napari_sa2va.io.track_folder import TrackFolder

_LOG: Final = logging.getLogger(__name__)

_COMMAND: Final = "napari-sa2va track"
FILE_NAMES: Final = {
    "tiff": "{stem}_labels.tif",
    "zarr": "{stem}_labels.zarr",
    "csv": "{stem}_objects.csv",
    "frames": "{stem}_frames.csv",
}


def check_labels(job: TrackJob, stem: str) -> None:
    """Refuse to write over labels of others, such as corrected ones: before hours of work.

    Raises
    ------
    InvalidInput
        If there are some.
    """
    for kind, path in _files(job, stem).items():
        if kind in ("tiff", "zarr"):
            check_own(path, _COMMAND)


def write_files(outcome: TrackOutcome, job: TrackJob, folder: TrackFolder) -> dict[str, Path]:
    """Write what was found to the files that the job wants; return where, by kind.

    Raises
    ------
    InvalidInput
        If a file cannot be written.
    """
    stack, records, notes = outcome.stack, outcome.records, outcome.notes
    files = _files(job, stack.stem)
    phrases = [one.phrase for one in notes.objects]
    shape = (stack.length, *stack.frames.shape)
    if "tiff" in files:
        from napari_sa2va.io.labels_tiff import write_label_stack

        write_label_stack(
            files["tiff"],
            _planes(outcome, folder),
            shape,
            stack.axis,
            largest=len(phrases),
            phrases=dict(enumerate(phrases, start=1)),
            pixel_size=stack.pixel_size,
            unit="µm" if stack.pixel_size else None,
            # Micrometres mean nothing to ImageJ beside pixels of no size.
            step=stack.step if stack.axis == "t" or stack.pixel_size else None,
            software=_COMMAND,
        )
    if "zarr" in files:
        from napari_sa2va.io.track_arrays import label_dtype, write_zarr

        write_zarr(
            files["zarr"],
            _planes(outcome, folder),
            shape,
            label_dtype(len(phrases)),
            (stack.axis, "y", "x"),
            {
                "phrases": {str(label): text for label, text in enumerate(phrases, start=1)},
                "pixel_size_um": list(stack.pixel_size) if stack.pixel_size else None,
                "step": stack.step,
                WRITTEN_BY: _COMMAND,
            },
        )
    if "csv" in files:
        write_tracks(files["csv"], outcome.rows)
        write_frames(files["frames"], frame_rows(records, phrases, stack.pixel_size))
    _LOG.info("Wrote %s", ", ".join(str(path) for path in files.values()))
    return files


def _files(job: TrackJob, stem: str) -> dict[str, Path]:
    return {
        kind: job.output / name.format(stem=stem)
        for kind, name in FILE_NAMES.items()
        if kind in job.formats or (kind == "frames" and "csv" in job.formats)
    }


def _planes(outcome: TrackOutcome, folder: TrackFolder) -> Iterator[NDArray[Any]]:
    """Yield the labels of every plane, zeros where nothing was tracked."""
    if outcome.records:
        yield from folder.planes(outcome.records)
        return
    nothing = np.zeros(outcome.stack.frames.shape, np.uint8)
    for _ in range(outcome.stack.length):
        yield nothing
