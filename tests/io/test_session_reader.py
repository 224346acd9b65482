"""A session's folder opens as what it was: image, labels, rows and place."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_sa2va.annotation.session import SessionDamaged, SessionState, create_session, load
from napari_sa2va.annotation.session.about import About, ImageInfo, LabelsInfo
from napari_sa2va.annotation.session.pixels import pack_boxes
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.session_reader import get_reader
from napari_sa2va.viewer import store
from napari_sa2va.viewer.labels import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIXELS = np.arange(40 * 50, dtype=np.uint8).reshape(40, 50)
SCALE = {"scale": [0.5, 0.25], "units": ["micrometer"] * 2, "axis_labels": ["y", "x"]}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    def make_session(**image: Any) -> Path:
        info = ImageInfo(
            "wing",
            shape=(40, 50),
            dtype="uint8",
            shown=SCALE | {"contrast_limits": [3.0, 99.0], "gamma": 0.5, "colormap": "magenta"},
            **image,
        )
        labels = LabelsInfo("wing · Sa2VA", (40, 50), "int32", SCALE)
        session = create_session(tmp_path, "wing", About((info,), labels))
        array = np.zeros((40, 50), np.int32)
        array[4:9, 5:12] = 3
        boxes = tuple(pack_boxes(array, [(slice(0, 40), slice(0, 50))]))
        session.append("paint", boxes=boxes)
        session.close()
        return session.path

    return make_session


def test_image_and_labels_come_as_they_were_shown(
    make: Callable[..., Path], tmp_path: Path, make_napari_viewer: Any
) -> None:
    tifffile.imwrite(tmp_path / "wing.tif", PIXELS)
    path = make(path=str(tmp_path / "wing.tif"))
    viewer = make_napari_viewer()
    image, labels = viewer.open(str(path), plugin="napari-sa2va")
    np.testing.assert_array_equal(image.data, PIXELS)
    assert (image.name, list(image.contrast_limits), image.gamma) == ("wing", [3.0, 99.0], 0.5)
    assert image.colormap.name == "magenta"
    for layer in (image, labels):
        assert list(layer.scale) == [0.5, 0.25]
        assert f"{layer.units[0]}" == "micrometer"
    assert labels.name == "wing · Sa2VA"
    assert int((labels.data == 3).sum()) == 35
    assert labels.metadata[METADATA]["session"] == str(path)
    assert image.metadata[METADATA]["path"] == str(tmp_path / "wing.tif")


def test_a_sample_is_opened_again(make: Callable[..., Path], make_napari_viewer: Any) -> None:
    from napari_sa2va.samples import sample_image

    make_napari_viewer()  # plugins are known
    path = make(sample=("napari-sa2va", "cells"))
    reader = get_reader(str(path))
    assert reader is not None
    kinds = [kind for _, _, kind in reader(str(path))]
    assert kinds == ["labels"], "another shape: it is not the image of that session"
    assert sample_image().shape != PIXELS.shape


def test_labels_come_alone_when_the_image_is_gone(
    make: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(path=str(tmp_path / "gone.tif"))
    reader = get_reader(str(path))
    assert reader is not None
    ((data, meta, kind),) = reader(str(path))
    assert (kind, meta["name"]) == ("labels", "wing · Sa2VA")
    assert (data == 3).any()


def test_large_labels_become_an_array_on_disk(
    make: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_IN_MEMORY", 100)
    monkeypatch.setattr(store, "large_labels_folder", lambda: tmp_path / "large")
    path = make()
    reader = get_reader(str(path))
    assert reader is not None
    data, _, _ = reader(str(path))[-1]
    assert str(data.store.root).startswith(str(tmp_path / "large"))
    np.testing.assert_array_equal(data[...], load(path).labels())


def test_a_copy_that_fails_is_told_and_leaves_nothing(
    make: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(state: SessionState, path: Path) -> None:
        (path / "c").mkdir(parents=True)
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")])

    folder, path = tmp_path / "large", make()
    monkeypatch.setattr(store, "MOST_IN_MEMORY", 100)
    monkeypatch.setattr(store, "large_labels_folder", lambda: folder)
    reader = get_reader(str(path))
    assert reader is not None
    folder.touch()  # a file
    with pytest.raises(InvalidInput, match="could not be copied"):
        reader(str(path))
    folder.unlink()
    monkeypatch.setattr(SessionState, "copy_labels", full)
    with pytest.raises(InvalidInput, match=r"large: \[Errno 28\] No space left on device: 'b'\. F"):
        reader(str(path))
    assert not list(folder.iterdir())


def test_what_is_damaged_is_told_and_the_rest_comes(make: Callable[..., Path]) -> None:
    path = make()
    (path / "session.json").write_text("{")
    reader = get_reader(str(path))
    assert reader is not None
    data, meta, _ = reader(str(path))[-1]
    assert (data == 3).any()
    assert meta["metadata"][METADATA]["restored"] == -1, "it is recorded anew"
    (path / "log.jsonl").write_bytes(b"")
    with pytest.raises(SessionDamaged):
        reader(str(path))


def test_log_and_labels_may_both_be_damaged(make: Callable[..., Path]) -> None:
    path = make()
    begun, painted = (path / "log.jsonl").read_bytes().splitlines(keepends=True)
    (path / "log.jsonl").write_bytes(begun + b"no line\n" + painted)
    (path / "labels.zarr" / "zarr.json").write_text("{")
    reader = get_reader(str(path))
    assert reader is not None
    data, meta, _ = reader(str(path))[-1]
    assert int((data == 3).sum()) == 35
    assert meta["metadata"][METADATA]["restored"] == -1


def test_other_folders_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "x.sa2va").mkdir()
    assert get_reader(str(tmp_path / "x.sa2va")) is None
    assert get_reader([str(tmp_path)]) is None
