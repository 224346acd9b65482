"""Folders for training: YOLO, referring expressions, Sa2VA's own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools import mask as coco_mask
from skimage.draw import polygon2mask

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.export import export
from napari_sa2va.io.export.provenance import Provenance
from tests.io.export.test_outlines import filled

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations

FOLDERS = ["yolo", "refcoco", "finetuning"]

# pycocotools 2.0.11 on numpy 2: its own arrays do not know `copy`.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_yolo_has_a_line_per_object_that_is_its_mask(stack: Annotations, tmp_path: Path) -> None:
    notes = export(stack, "yolo", tmp_path / "set")
    about = yaml.safe_load((tmp_path / "set" / "data.yaml").read_text(encoding="utf-8"))
    assert about["names"] == {i: record.phrase for i, record in enumerate(stack.records)}
    images = sorted((tmp_path / "set" / about["train"]).iterdir())
    assert len(images) == 3
    classes = {0: 1, 1: 2, 2: 5}
    for image, plane in zip(images, stack.whole(), strict=True):
        labels = np.zeros(plane.shape, int)
        text = (tmp_path / "set/labels/train" / f"{image.stem}.txt").read_text()
        for line in text.splitlines():
            number, *corners = line.split()
            polygon = np.array(corners, float).reshape(-1, 2) * [50, 40]
            labels[filled(polygon.round(), plane.shape)] = classes[int(number)]
        np.testing.assert_array_equal(labels, plane)
        with Image.open(image) as picture:
            assert picture.size == (50, 40)
    assert any("next is not kept" in note for note in notes)


def test_yolo_s_names_are_read_as_they_were_written(plane: Annotations, tmp_path: Path) -> None:
    phrase = '😀 "a" \\ b\n\u2028: #é\x07\x85'
    named = replace(plane, records=(replace(plane.records[0], phrase=phrase),))
    export(named, "yolo", tmp_path / "a")
    about = yaml.safe_load((tmp_path / "a" / "data.yaml").read_text(encoding="utf-8"))
    assert about["names"] == {0: phrase, 1: "object"}
    export(replace(plane, labels=np.zeros_like(plane.labels), records=()), "yolo", tmp_path / "b")
    assert yaml.safe_load((tmp_path / "b" / "data.yaml").read_text())["names"] == {}


def test_referring_expressions_have_image_mask_and_sentences(
    stack: Annotations, tmp_path: Path
) -> None:
    nameless = replace(stack.records[2], phrase="")
    notes = export(
        replace(stack, records=(*stack.records[:2], nameless)), "refcoco", tmp_path / "r"
    )
    refs = json.loads((tmp_path / "r/refs.json").read_text(encoding="utf-8"))
    assert [ref["track_id"] for ref in refs] == [1, 2, 1, 2]
    assert refs[0]["sentences"][0]["tokens"] == ["the", "large", "red", "cell"]
    assert (tmp_path / "r/images" / refs[0]["image"]).is_file()
    np.testing.assert_array_equal(coco_mask.decode(refs[1]["mask"]), stack.plane((0,)) == 2)
    assert notes[-1] == "Objects without a phrase are left out: 5."


def test_the_fine_tuning_folder_has_sa2va_s_keys(stack: Annotations, tmp_path: Path) -> None:
    export(stack, "finetuning", tmp_path / "f")
    entries = json.loads((tmp_path / "f/annotations.json").read_text(encoding="utf-8"))
    assert [set(entry) for entry in entries] == [{"image", "mask", "text"}] * 3
    first = entries[0]
    assert first["text"] == ["the large red cell", stack.records[1].phrase]
    assert len(first["mask"]) == 2
    assert [len(one) for one in first["mask"]] == [1, 2]  # the second has two parts
    x_y = np.array(first["mask"][0][0]).reshape(-1, 2)
    inside = polygon2mask((40, 50), x_y[:, ::-1] - 0.5)
    np.testing.assert_array_equal(inside, stack.plane((0,)) == 1)
    with Image.open(tmp_path / "f/images" / first["image"]) as picture:
        assert picture.mode == "RGB"


@pytest.mark.parametrize("name", FOLDERS)
def test_the_image_is_needed(name: str, stack: Annotations, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--image"):
        export(replace(stack, pictures=None), name, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_replaced_as_a_whole_and_others_are_left(
    name: str, stack: Annotations, plane: Annotations, tmp_path: Path
) -> None:
    export(stack, name, tmp_path / "out")
    export(plane, name, tmp_path / "out")
    assert len(list((tmp_path / "out").rglob("*.png"))) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("x")
    with pytest.raises(InvalidInput, match="is not a folder that this format writes"):
        export(stack, name, tmp_path / "mine")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "mine"}


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("yolo", "data.yaml"), ("refcoco", "refs.json"), ("finetuning", "annotations.json")],
)
def test_data_sets_of_others_are_left(
    name: str, theirs: str, stack: Annotations, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / theirs).write_text("[]")
    with pytest.raises(InvalidInput, match="is not a folder that this format writes"):
        export(stack, name, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [theirs]


def test_another_session_format_or_added_file_is_not_replaced(
    plane: Annotations, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(plane, "finetuning", out)
    of_others = replace(plane, provenance=replace(plane.provenance, created="later"))
    unknown = replace(plane, provenance=Provenance())  # as of a layer that was never saved
    for other in (of_others, unknown):
        with pytest.raises(InvalidInput, match="was exported from other labels"):
            export(other, "finetuning", out)
    export(unknown, "yolo", tmp_path / "unknown")
    with pytest.raises(InvalidInput, match="was exported from other labels"):
        export(unknown, "yolo", tmp_path / "unknown")
    with pytest.raises(InvalidInput, match="is not a folder that this format writes"):
        export(plane, "yolo", out)
    (out / "images/.DS_Store").touch()
    export(plane, "finetuning", out)
    (out / "images/mine.png").touch()
    with pytest.raises(InvalidInput, match=r"such as images/mine\.png"):
        export(plane, "finetuning", out)
    assert (out / "images/mine.png").exists()
