"""COCO, read by pycocotools and by ourselves."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.export import export
from napari_sa2va.io.export.coco import classes_of
from napari_sa2va.io.export.from_layers import plain_annotations
from napari_sa2va.io.import_coco import read_coco
from tests.io.export.conftest import record

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations

# pycocotools 2.0.11 on numpy 2: its own arrays do not know `copy`.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize("name", ["coco", "coco-polygons"])
def test_pycocotools_reads_every_pixel(name: str, stack: Annotations, tmp_path: Path) -> None:
    export(stack, name, tmp_path / "x.coco.json")
    coco = COCO(tmp_path / "x.coco.json")
    assert len(coco.getImgIds()) == 3
    labels = np.zeros(stack.shape, int)
    for one in coco.loadAnns(coco.getAnnIds()):
        mask = coco.annToMask(one).astype(bool)
        assert mask.sum() == one["area"]
        labels[one["image_id"] - 1][mask] = one["track_id"]
    np.testing.assert_array_equal(labels, stack.whole())


@pytest.mark.parametrize("seed", range(4))
def test_masks_that_touch_every_border(seed: int, tmp_path: Path) -> None:
    labels = np.random.default_rng(seed).integers(0, 4, (5, 7)).astype(np.uint8)
    labels[:, 3] = 9  # a column from top to bottom
    for name in ("coco", "coco-polygons"):
        export(plain_annotations("x", labels), name, tmp_path / "x.coco.json")
        np.testing.assert_array_equal(read_coco(tmp_path / "x.coco.json").whole(), labels)
    coco = COCO(tmp_path / "x.coco.json")
    assert sum(coco.annToMask(one).sum() for one in coco.anns.values()) == np.sum(labels > 0)


def test_frames_are_images_with_one_track(stack: Annotations, tmp_path: Path) -> None:
    export(stack, "coco", tmp_path / "x.coco.json")
    said = json.loads((tmp_path / "x.coco.json").read_text(encoding="utf-8"))
    first = [one for one in said["annotations"] if one["track_id"] == 1]
    assert [one["image_id"] for one in first] == [1, 2]
    assert {one["caption"] for one in first} == {"the large red cell"}
    assert first[0]["bbox"] == [3, 2, 17, 10]
    assert [one["name"] for one in said["categories"]] == [r.phrase for r in stack.records]
    assert said["info"]["scale"]["x"] == 0.25


@pytest.mark.parametrize("name", ["coco", "coco-polygons"])
def test_it_comes_back_whole(name: str, stack: Annotations, tmp_path: Path) -> None:
    notes = export(stack, name, tmp_path / "x.coco.json")
    assert any("pictures" in note for note in notes)
    read = read_coco(tmp_path / "x.coco.json")
    np.testing.assert_array_equal(read.whole(), stack.whole())
    assert read.records == stack.records
    assert read.space.axes == stack.space.axes
    np.testing.assert_allclose(read.space.matrix, stack.space.matrix)


def test_as_many_classes_as_objects() -> None:
    phrases = [f"cell {number}" for number in range(30_000)]
    records = [record(n, phrase=phrase) for n, phrase in enumerate(phrases, start=1)]
    names, numbers = classes_of([*records, record(30_001, phrase=" Cell  1.")])
    assert names == phrases
    assert (numbers[30_000], numbers[30_001]) == (29_999, 1)


def test_a_plane_without_phrases(plane: Annotations, tmp_path: Path) -> None:
    nameless = replace(plane, records=())
    notes = export(nameless, "coco", tmp_path / "x.coco.json")
    assert any("'object'" in note for note in notes)
    read = read_coco(tmp_path / "x.coco.json")
    np.testing.assert_array_equal(read.whole(), plane.whole())


def write(path: Path, **changes: Any) -> Path:
    said = {
        "images": [{"id": 7, "file_name": "a.png", "height": 4, "width": 6}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [[0, 0, 3, 0, 3, 3, 0, 3]]},
            {
                "id": 2,
                "image_id": 7,
                "category_id": 3,
                "segmentation": {"size": [4, 6], "counts": [8, 8, 8]},
            },
        ],
        "categories": [{"id": 3, "name": "nucleus"}],
    }
    path.write_text(json.dumps(said | changes))
    return path


def test_somebody_else_s_file(tmp_path: Path) -> None:
    read = read_coco(write(tmp_path / "x.json"))
    expected = np.zeros((4, 6), int)
    expected[0:3, 0:3] = 1
    expected[:, 2:4] = np.where(expected[:, 2:4], 1, 2)
    np.testing.assert_array_equal(read.whole(), expected)
    assert [record.phrase for record in read.records] == ["nucleus", "nucleus"]
    assert read.notes == ("1 masks overlap earlier ones: the first keeps the pixels.",)


def test_files_that_are_none_say_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="different sizes"):
        sizes = [{"id": i, "height": 4 + i, "width": 6} for i in range(2)]
        read_coco(write(tmp_path / "x.json", images=sizes))
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_coco(write(tmp_path / "x.json", annotations=[{"image_id": 7, "track_id": 1}]))
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_coco(write(tmp_path / "x.json", annotations=[7]))
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_coco(tmp_path / "nothing.json")
    for info in (None, [], {"scale": None}):  # as others write it
        assert len(read_coco(write(tmp_path / "x.json", info=info)).records) == 2


def test_masks_of_large_labels(tmp_path: Path) -> None:
    labels = np.array([[0, 70_000], [2**31, 3]], np.uint32)
    export(plain_annotations("x", labels), "coco", tmp_path / "x.coco.json")
    np.testing.assert_array_equal(read_coco(tmp_path / "x.coco.json").whole(), labels)


def test_without_pycocotools_it_is_said_what_to_install(
    stack: Annotations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pycocotools.mask", None)
    from napari_sa2va.io.export.needed import PackageMissing

    with pytest.raises(PackageMissing, match="pip install pycocotools"):
        export(stack, "coco", tmp_path / "x.coco.json")
    assert not list(tmp_path.iterdir())
