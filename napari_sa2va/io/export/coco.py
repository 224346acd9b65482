"""COCO: one image per plane, one annotation per object and plane, tracks by their label.

https://cocodataset.org/#format-data. `caption` and `track_id` are additions that the readers of
COCO pass over.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.records import same_phrase
from napari_sa2va.annotation.session.log import record_detail
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.export.annotations import unknown
from napari_sa2va.io.export.datasets import write_json
from napari_sa2va.io.export.needed import needed
from napari_sa2va.io.export.outlines import polygons
from napari_sa2va.io.export.shapes import shapes_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.annotation.records import ObjectRecord
    from napari_sa2va.io.export.annotations import Annotations
    from napari_sa2va.io.export.shapes import Shape

NO_PHRASE = "object"


def write_coco(annotations: Annotations, path: Path) -> list[str]:
    """Write COCO with run-length masks, which hold each pixel; return what it cannot hold."""
    return _write(annotations, path, as_polygons=False)


def write_coco_polygons(annotations: Annotations, path: Path) -> list[str]:
    """Write COCO with polygons along the edges of the pixels; return what it cannot hold."""
    return _write(annotations, path, as_polygons=True)


def _write(annotations: Annotations, path: Path, *, as_polygons: bool) -> list[str]:
    records = annotations.by_label()
    classes, numbers = classes_of(annotations.records)
    height, width = annotations.shape[-2:]
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    unnamed = False
    for number, (place, plane) in enumerate(annotations.planes(), start=1):
        images.append(
            {
                "id": number,
                "file_name": f"{annotations.stem(place)}.png",
                "width": width,
                "height": height,
                "place": dict(zip(annotations.space.axes, place, strict=False)),
            }
        )
        for shape in shapes_in(plane):
            record = records.get(shape.label) or unknown(shape.label)
            unnamed = unnamed or shape.label not in numbers
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": number,
                    "category_id": numbers.get(shape.label, len(classes)) + 1,
                    "segmentation": _polygons(shape)
                    if as_polygons
                    else rle(shape, (height, width)),
                    "area": shape.area,
                    "bbox": list(shape.corner_and_size),
                    "iscrowd": 0,
                    "caption": record.phrase,
                    "track_id": shape.label,
                    "score": None if math.isnan(record.score) else record.score,
                    "object": record_detail(record),
                }
            )
    if unnamed:
        classes = [*classes, NO_PHRASE]
    said = {
        "info": {
            "description": annotations.name,
            "version": "1.0",
            "contributor": "napari-sa2va",
            "scale": dict(zip(annotations.space.axes, annotations.space.scale, strict=True)),
            "units": dict(zip(annotations.space.axes, annotations.space.units, strict=True)),
            "provenance": annotations.provenance.detail(),
        },
        "licenses": [],
        "images": images,
        "annotations": objects,
        "categories": [{"id": i, "name": name} for i, name in enumerate(classes, start=1)],
    }
    with replacing(path) as temporary:
        write_json(temporary, said)
    return _notes(annotations, as_polygons=as_polygons, unnamed=unnamed)


def classes_of(records: Iterable[ObjectRecord]) -> tuple[list[str], dict[int, int]]:
    """Make classes of phrases: their names, and the class of each label, from 0.

    Phrases that ask for the same are one class. Labels without a phrase have none: they belong to
    one more, `NO_PHRASE`, whose number is the number of names.
    """
    names: list[str] = []
    known: dict[str, int] = {}
    # Only those that differ in spaces and full stops need comparing: there may be 100,000.
    similar: dict[str, list[int]] = defaultdict(list)
    numbers: dict[int, int] = {}
    for record in records:
        if not record.phrase.strip():
            continue
        if record.phrase not in known:
            near = similar["".join(record.phrase.casefold().replace(".", "").split())]
            alike = (i for i in near if same_phrase(record.phrase, names[i]))
            known[record.phrase] = number = next(alike, len(names))
            if number == len(names):
                names.append(record.phrase)
                near.append(number)
        numbers[record.label] = known[record.phrase]
    return names, numbers


def rle(shape: Shape, size: tuple[int, int]) -> dict[str, Any]:
    """Return a mask as COCO's compressed run lengths, counted down the columns."""
    mask = needed("pycocotools.mask", "pycocotools", "COCO files")
    height, width = size
    rows, columns = shape.box
    # Its own columns only: a whole plane for each of a thousand objects would take half a minute.
    strip = np.zeros((columns.stop - columns.start, height), bool)
    strip[:, rows] = shape.inside.T
    changes = (
        np.flatnonzero(np.diff(strip.ravel(), prepend=False, append=False)) + columns.start * height
    )
    runs = np.diff(changes, prepend=0, append=height * width)
    encoded = mask.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width)
    return {"size": [height, width], "counts": encoded["counts"].decode("ascii")}


def _polygons(shape: Shape) -> list[list[int]]:
    return [flat(polygon, shape) for polygon in polygons(shape.inside)]


def flat(polygon: NDArray[np.int64], shape: Shape) -> list[int]:
    """Return a polygon of a shape's box as x, y, x, y, … of the plane."""
    corner = np.array([shape.box[1].start, shape.box[0].start])
    return [int(value) for value in (polygon + corner).ravel()]


def _notes(annotations: Annotations, *, as_polygons: bool, unnamed: bool) -> list[str]:
    notes = [
        "The pictures are not in the file: `file_name` is how each is called in the other formats."
    ]
    if as_polygons:
        notes.append("Polygons run along the edges of pixels; holes are cut into their outlines.")
    if unnamed:
        notes.append(f"Objects without a phrase are of the category {NO_PHRASE!r}.")
    if annotations.turns:
        notes.append("The conversation is not in the file.")
    if any(record.color for record in annotations.records):
        notes.append("COCO has no colours: those chosen are kept beside, under `object`.")
    if not annotations.space.is_upright:
        notes.append("Rotation, mirroring and shear of the layer are not kept.")
    return notes
