"""Referring expressions: for RefCOCO's readers, and the folder that Sa2VA is fine-tuned from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sa2va.io.export.annotations import unknown
from napari_sa2va.io.export.coco import classes_of, flat, rle
from napari_sa2va.io.export.datasets import (
    NOT_KEPT,
    dataset_folder,
    pictures_needed,
    write_json,
    write_picture,
)
from napari_sa2va.io.export.outlines import polygons
from napari_sa2va.io.export.shapes import shapes_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.annotation.records import ObjectRecord
    from napari_sa2va.io.export.annotations import Annotations
    from napari_sa2va.io.export.shapes import Shape


def write_refcoco(annotations: Annotations, path: Path) -> list[str]:
    """Write ``images/`` and ``refs.json``; return what it cannot hold.

    Each entry has RefCOCO's keys (``ref_id``, ``ann_id``, ``image_id``, ``file_name``,
    ``category_id``, ``split``, ``sentences``, ``sent_ids``), and the mask itself beside them.

    Raises
    ------
    InvalidInput
        If the image is not known, or the folder cannot be written.
    """
    pictures_needed(annotations, "A set of referring expressions")
    _, numbers = classes_of(annotations.records)
    refs: list[dict[str, Any]] = []
    unnamed: set[int] = set()
    with dataset_folder(annotations, path, "refcoco") as new:
        (new / "images").mkdir()
        for number, (place, plane) in enumerate(annotations.planes(), start=1):
            name = write_picture(annotations, place, new / "images")
            for shape, record in _named(annotations, plane, unnamed):
                at = len(refs) + 1
                refs.append(
                    {
                        "ref_id": at,
                        "ann_id": at,
                        "image_id": number,
                        "image": name,
                        "file_name": name,
                        "category_id": numbers[shape.label] + 1,
                        "split": "train",
                        "track_id": shape.label,
                        "bbox": list(shape.corner_and_size),
                        "mask": rle(shape, plane.shape),
                        "sentences": [_sentence(at, record.phrase)],
                        "sent_ids": [at],
                    }
                )
        write_json(new / "refs.json", refs)
    return _notes(unnamed, "Every expression is of the split 'train'.")


def write_finetuning(annotations: Annotations, path: Path) -> list[str]:
    """Write ``images/`` and ``annotations.json``, as Sa2VA's own training reads them.

    A list of ``{"image", "mask", "text"}``: per image one entry of polygons and one phrase an
    object. Returns what it cannot hold.

    Raises
    ------
    InvalidInput
        If the image is not known, or the folder cannot be written.
    """
    pictures_needed(annotations, "A fine-tuning folder")
    entries: list[dict[str, Any]] = []
    unnamed: set[int] = set()
    empty = 0
    with dataset_folder(annotations, path, "finetuning") as new:
        (new / "images").mkdir()
        for place, plane in annotations.planes():
            found = list(_named(annotations, plane, unnamed))
            if not found:
                empty += 1
                continue
            entries.append(
                {
                    "image": write_picture(annotations, place, new / "images"),
                    "mask": [
                        [flat(polygon, shape) for polygon in polygons(shape.inside)]
                        for shape, _ in found
                    ],
                    "text": [record.phrase for _, record in found],
                }
            )
        write_json(new / "annotations.json", entries)
    notes = _notes(unnamed, "Which object of a plane is which of the next is not kept.")
    if empty:
        planes = f"{empty} planes" if empty > 1 else "A plane"
        notes.append(f"{planes} without an object {'are' if empty > 1 else 'is'} left out.")
    return notes


def _named(
    annotations: Annotations, plane: NDArray[np.integer], unnamed: set[int]
) -> Iterator[tuple[Shape, ObjectRecord]]:
    """Go through the objects of a plane that have a phrase; note the others."""
    records = annotations.by_label()
    for shape in shapes_in(plane):
        record = records.get(shape.label) or unknown(shape.label)
        if record.phrase.strip():
            yield shape, record
        else:
            unnamed.add(shape.label)


def _sentence(number: int, phrase: str) -> dict[str, Any]:
    plain = " ".join(phrase.lower().split()).removesuffix(".")
    return {"sent_id": number, "raw": phrase, "sent": plain, "tokens": plain.split()}


def _notes(unnamed: set[int], further: str) -> list[str]:
    notes = [NOT_KEPT, further]
    if unnamed:
        labels = ", ".join(map(str, sorted(unnamed)[:8])) + ("…" if len(unnamed) > 8 else "")
        notes.append(f"Objects without a phrase are left out: {labels}.")
    return notes
