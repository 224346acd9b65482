"""The files of a batch: label images of cells asked at different times, and its settings."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.annotation.records import ObjectRecord
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import cut, replacing
from napari_sa2va.io.export import Annotations, export
from napari_sa2va.io.export.space import space_of
from napari_sa2va.io.import_tiff import read_label_tiff
from napari_sa2va.io.pixel_size import PixelSize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sa2va.cli.results import Reply, Results
    from napari_sa2va.io.batch_table import Cell

_JOB: Final = "batch.json"


def file_names(images: Sequence[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the name of each image's label file; a number is in it where two would be the same.

    Parameters
    ----------
    images : sequence of str
    known : mapping of str to str, optional
        Names of files that are there from before, by image: they stay, however the table changed.
    """
    names = dict(known or {})
    used = {name.casefold() for name in names.values()}
    stems = {image: _stem(image) for image in images}
    counts = Counter(stem.casefold() for stem in stems.values())
    for number, (image, stem) in enumerate(stems.items(), start=1):
        if image in names:
            continue
        beginnings = itertools.chain(
            [stem] if counts[stem.casefold()] == 1 else [],
            [f"{stem}-{number}"],
            (f"{stem}-{number}-{further}" for further in itertools.count(2)),
        )
        possible = (f"{beginning}_labels.tif" for beginning in beginnings)
        names[image] = next(name for name in possible if name.casefold() not in used)
        used.add(names[image].casefold())
    return {image: names[image] for image in images}


def _stem(image: str) -> str:
    return cut(Path(image).stem.removesuffix(".ome")) or "image"


def check_free(folder: Path, names: Iterable[str]) -> None:
    """Refuse to write over what is somebody else's: folders may hold the images.

    Parameters
    ----------
    folder : Path
    names : iterable of str
        Of the files to write that no earlier run has claimed.

    Raises
    ------
    InvalidInput
        If one of them is there.
    """
    for path in (folder / name for name in names):
        if path.exists():
            raise InvalidInput(
                f"{path} is there, and is not of this batch. Choose another --output, or move it "
                "away."
            )


def check_same(folder: Path, asked: Mapping[str, Any], *, restart: bool) -> None:
    """Note how this batch is asked; refuse to mix answers to other settings into it.

    Raises
    ------
    InvalidInput
        If they are others, or it cannot be read or written.
    """
    said = dict(asked)
    path = folder / _JOB
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        before = said
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read ({error}). Choose another --output.") from error
    if before != said and not restart:
        raise InvalidInput(
            f"{folder} has a batch that was asked with another model or other options. Choose "
            "another --output, or start over with --restart."
        )
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(said, indent=1), encoding="utf-8")


def painted_before(path: Path, done: Sequence[Cell], results: Results) -> list[ObjectRecord]:
    """Take over the labels of cells that were answered earlier, and return their rows.

    Raises
    ------
    InvalidInput
        If they are not there any more, or of another size.
    """
    kept = {label for cell in done for label in cell.labels}
    if not kept:
        return []
    if not path.exists():
        raise InvalidInput(
            f"{path}, with the objects of phrases that were answered earlier, is not there any "
            "more. Put it back, or start over with --restart."
        )
    read = read_label_tiff(path)
    plane = read.plane(())
    if plane.shape != results.shape:
        raise InvalidInput(f"{path} has another size than the image now. Start with --restart.")
    results.labels[...] = np.where(np.isin(plane, list(kept)), plane, 0)
    return [record for record in read.records if record.label in kept]


def write_labels(
    path: Path,
    image: Path,
    results: Results,
    records: Sequence[ObjectRecord],
    answered: dict[int, Reply],
) -> None:
    """Write the label image with its rows; where there is nothing, none is there.

    Raises
    ------
    InvalidInput
        If it cannot be written.
    """
    counted = {label for reply in answered.values() for label in reply.labels}
    new = [
        ObjectRecord(
            row.label,
            row.phrase,
            row.answer,
            row.score,
            row.iou,
            float(row.labelled_px),
            "pixel",
            row.model,
            row.created,
        )
        for row in results.objects
        if row.label in counted
    ]
    if not new and not records:
        path.unlink(missing_ok=True)  # of a run that was killed, or of one before --restart
        return
    size = results.pixel_size or PixelSize(1.0, 1.0)
    unit = "micrometer" if results.pixel_size else "pixel"
    space = space_of(("y", "x"), {"scale": tuple(size), "units": (unit, unit)}, 2)
    export(Annotations(image.stem, results.labels, space, (*records, *new)), "imagej", path)
