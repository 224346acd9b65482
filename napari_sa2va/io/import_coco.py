"""COCO annotations as labels: instances of one image, or of planes with tracks."""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.export.annotations import Annotations, smallest_type
from napari_sa2va.io.export.needed import needed
from napari_sa2va.io.export.space import space_of
from napari_sa2va.io.import_tiff import record_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.annotation.records import ObjectRecord


def read_coco(path: Path) -> Annotations:
    """Read a COCO file: its images become planes, in the order of the file.

    Ours give back axes, scale and rows. Of others, `track_id` (else each annotation on its own)
    says which label, the caption or else the category what it is called. Where masks overlap, the
    first one keeps the pixels.

    Raises
    ------
    InvalidInput
        If it is no such file, or its images are of different sizes.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        images, objects = said["images"], said["annotations"]
        sizes = {(int(image["height"]), int(image["width"])) for image in images}
        names = {one["id"]: str(one["name"]) for one in said.get("categories", ())}
        info = said.get("info")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} cannot be read as COCO annotations ({error!r}).") from error
    if len(sizes) != 1:
        raise InvalidInput(
            f"{path.name} has images of {len(sizes)} different sizes: they cannot be the planes of "
            "one layer. Split the file."
        )
    (size,) = sizes
    try:
        labels = _labels_of(objects)
        places = _places(images)
        array = np.zeros((*places.shape, *size), smallest_type(max(labels, default=0)))
        overlaps = _paint(array, places.where, images, objects, labels)
        records = _records(objects, labels, names)
        axes = (*places.axes, "y", "x")
        scale, units = _said_of(info, "scale"), _said_of(info, "units")
        shown = {
            "scale": [float(scale.get(axis, 1.0)) for axis in axes],
            "units": [str(units.get(axis, "pixel")) for axis in axes],
        }
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise InvalidInput(f"{path} has an annotation that cannot be read ({error!r}).") from error
    notes = (f"{overlaps} masks overlap earlier ones: the first keeps the pixels.",)
    return Annotations(
        name=path.name.split(".")[0],
        labels=array,
        space=space_of(axes, shown, array.ndim),
        records=records,
        notes=notes if overlaps else (),
    )


def _said_of(info: Any, name: str) -> Mapping[str, Any]:
    """Return what our files say of each axis; other programs write what they like there."""
    said = info.get(name) if isinstance(info, dict) else None
    return said if isinstance(said, dict) else {}


class _Places:
    """Where images are in the array: on the axes that our files name, else one after the other."""

    def __init__(self, axes: tuple[str, ...], positions: NDArray[np.intp]) -> None:
        self.axes = axes
        self.shape = tuple(int(n) + 1 for n in positions.max(axis=0, initial=-1))
        self.where = [tuple(map(int, position)) for position in positions]


def _places(images: Sequence[Mapping[str, Any]]) -> _Places:
    told = [image.get("place") for image in images]
    if all(isinstance(place, dict) for place in told):
        axes = tuple(told[0] or {})
        positions = np.array([[int(place[axis]) for axis in axes] for place in told], np.intp)  # type: ignore[index]
        return _Places(axes, positions.reshape(len(told), len(axes)))
    if len(images) == 1:
        return _Places((), np.zeros((1, 0), np.intp))
    return _Places(("t",), np.arange(len(images), dtype=np.intp)[:, None])


def _labels_of(objects: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return a label per annotation: that of its track, else one of its own."""
    if all(isinstance(one.get("track_id"), int) and one["track_id"] > 0 for one in objects):
        return [int(one["track_id"]) for one in objects]
    return list(range(1, len(objects) + 1))


def _paint(
    array: NDArray[Any],
    where: Sequence[tuple[int, ...]],
    images: Sequence[Mapping[str, Any]],
    objects: Sequence[Mapping[str, Any]],
    labels: Sequence[int],
) -> int:
    """Paint all masks into their planes; return how many lie over earlier ones."""
    by_image: dict[Any, list[int]] = defaultdict(list)
    for number, one in enumerate(objects):
        by_image[one["image_id"]].append(number)
    overlaps = 0
    for place, image in zip(where, images, strict=True):
        plane = array[place]
        for number in by_image[image["id"]]:
            box, mask = decoded(objects[number]["segmentation"], plane.shape)
            part = plane[box]
            free = mask & (part == 0)
            overlaps += bool((mask & ~free).any())
            part[free] = labels[number]
    return overlaps


def decoded(
    segmentation: Any, size: tuple[int, ...]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return the box and, inside it, the mask of polygons or of run lengths, plain or compressed.

    A file may have a hundred thousand objects: nothing but the decoding itself takes whole planes.
    """
    mask = needed("pycocotools.mask", "pycocotools", "COCO files")
    if isinstance(segmentation, list):
        if not segmentation:
            return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), bool)
        encoded = mask.merge(mask.frPyObjects([list(map(float, p)) for p in segmentation], *size))
    elif isinstance(segmentation["counts"], list):
        encoded = mask.frPyObjects(segmentation, *size)
    else:
        encoded = segmentation
    if tuple(encoded["size"]) != tuple(size):
        raise ValueError(f"a mask of {encoded['size']} in an image of {list(size)}")
    with warnings.catch_warnings():
        # pycocotools 2.0.11 on numpy 2: its own arrays do not know `copy`.
        warnings.simplefilter("ignore", DeprecationWarning)
        left, top, width, height = (int(side) for side in np.asarray(mask.toBbox(encoded)))
        box = slice(top, top + height), slice(left, left + width)
        return box, np.asarray(mask.decode(encoded))[box].astype(bool)


def _records(
    objects: Sequence[Mapping[str, Any]], labels: Sequence[int], names: Mapping[Any, str]
) -> tuple[ObjectRecord, ...]:
    records: dict[int, ObjectRecord] = {}
    for label, one in zip(labels, objects, strict=True):
        if label in records:
            continue
        ours = one.get("object")
        if isinstance(ours, dict):
            records[label] = record_of(ours | {"label": label})
            continue
        phrase = str(one.get("caption") or names.get(one.get("category_id"), ""))
        row = {"label": label, "phrase": phrase, "score": one.get("score"), "author": "user"}
        records[label] = record_of(row)
    return tuple(records[label] for label in sorted(records))
