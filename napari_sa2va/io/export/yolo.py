"""A YOLO segmentation dataset: pictures, a text file each, and data.yaml.

https://docs.ultralytics.com/datasets/segment/: a line ``class x1 y1 x2 y2 …`` per object, corners
as fractions of width and height.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.io.export.coco import NO_PHRASE, classes_of, flat
from napari_sa2va.io.export.datasets import (
    NOT_KEPT,
    dataset_folder,
    pictures_needed,
    write_picture,
)
from napari_sa2va.io.export.outlines import one_polygon
from napari_sa2va.io.export.shapes import shapes_in

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations
    from napari_sa2va.io.export.shapes import Shape

_SPLIT = "train"


def write_yolo(annotations: Annotations, path: Path) -> list[str]:
    """Write the folder; return what it cannot hold.

    Raises
    ------
    InvalidInput
        If the image is not known, or the folder cannot be written.
    """
    pictures_needed(annotations, "A YOLO dataset")
    classes, numbers = classes_of(annotations.records)
    unnamed = False
    with dataset_folder(annotations, path, "yolo") as new:
        images, labels = (new / kind / _SPLIT for kind in ("images", "labels"))
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for place, plane in annotations.planes():
            write_picture(annotations, place, images)
            lines = []
            for shape in shapes_in(plane):
                unnamed = unnamed or shape.label not in numbers
                lines.append(_line(shape, numbers.get(shape.label, len(classes)), plane.shape))
            text = "".join(f"{line}\n" for line in lines)
            (labels / f"{annotations.stem(place)}.txt").write_text(text, encoding="utf-8")
        names = [*classes, NO_PHRASE] if unnamed else classes
        (new / "data.yaml").write_text(_yaml(names), encoding="utf-8")
    notes = [
        NOT_KEPT,
        "Objects of several parts are joined to one outline by cuts of no width.",
        f"All pictures are in {_SPLIT!r}; `val` names the same: set some aside before you train.",
    ]
    if len(annotations.places) > 1:
        notes.append("Which object of a plane is which of the next is not kept.")
    if unnamed:
        notes.append(f"Objects without a phrase are of the class {NO_PHRASE!r}.")
    return notes


def _line(shape: Shape, number: int, size: tuple[int, ...]) -> str:
    height, width = size
    corners = flat(one_polygon(shape.inside), shape)
    fractions = (
        f"{value / (height if place % 2 else width):.6f}" for place, value in enumerate(corners)
    )
    return " ".join([str(number), *fractions])


def _yaml(names: list[str]) -> str:
    """Return data.yaml."""
    rows = [f"  {number}: {_quoted(name)}" for number, name in enumerate(names)]
    head = [f"train: images/{_SPLIT}", f"val: images/{_SPLIT}", f"nc: {len(names)}"]
    head.append("names:" if rows else "names: {}")
    return "\n".join(["# Segmentation dataset of napari-sa2va", *head, *rows]) + "\n"


def _quoted(text: str) -> str:
    r"""Return a text in YAML's double quotes: on one line, and letters as they are.

    Not in JSON's, which has two halves for each letter beyond U+FFFF. Whatever is not printable is
    escaped in YAML's ways (``\n``, ``\x07``, ``\u2028``, ``\U000e0001``).
    """
    letters = text.encode("utf-8", "replace").decode("utf-8")
    return (
        '"'
        + "".join(c if c.isprintable() and c not in '"\\' else _escape(c) for c in letters)
        + '"'
    )


def _escape(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    code = ord(letter)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
