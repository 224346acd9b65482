"""Arrays for labels: in memory, or in a folder that the user can see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from napari_sa2va.viewer import snapshot
from napari_sa2va.viewer.labels import check_target, create_labels
from napari_sa2va.viewer.preferences import store_setting
from napari_sa2va.viewer.store import (
    CannotWrite,
    large_labels_folder,
    new_array,
    place_of,
    whole_chunks,
)


def test_small_arrays_are_in_memory(tmp_path: Path) -> None:
    data = new_array((3, 20, 30), "cells", folder=tmp_path)
    assert isinstance(data, np.ndarray) and data.dtype == np.int32
    assert list(tmp_path.iterdir()) == []
    assert place_of(data) == "memory"


def test_large_arrays_are_on_disk_in_chunks_of_a_plane(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    data = new_array((3, 2000, 30), "my cells: 1/2", folder=folder, most_in_memory=1)
    assert data.chunks == (1, 1024, 30)
    assert data.dtype == np.int32
    assert data.metadata.zarr_format == 3
    assert not data[2].any()
    data[1, 5, 5] = 7
    (path,) = folder.iterdir()
    assert path.name == "my_cells_1_2_labels.zarr"
    assert str(path) == place_of(data)
    assert zarr.open_array(path, mode="r")[1, 5, 5] == 7
    new_array((3, 20, 30), "my cells: 1/2", folder=folder, most_in_memory=1)
    assert len(list(folder.iterdir())) == 2


def test_the_folder_is_the_one_among_the_preferences(tmp_path: Path) -> None:
    assert large_labels_folder() == Path.home() / "napari-sa2va"
    store_setting("results", "folder", str(tmp_path))
    assert large_labels_folder() == tmp_path


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="another folder"):
        new_array((3, 20, 30), "cells", folder=tmp_path / "file", most_in_memory=1)


def test_boxes_grow_to_whole_chunks(tmp_path: Path) -> None:
    data = new_array((3, 2000, 1500), "cells", folder=tmp_path, most_in_memory=1)
    plane = (2, None, None)
    box = slice(100, 1030), slice(1100, 1200)
    assert whole_chunks(data, plane, box) == (slice(0, 2000), slice(1024, 1500))
    assert whole_chunks(np.zeros((3, 9, 9)), plane, box) == box


def test_a_large_image_gets_its_labels_on_disk(tmp_path: Path) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 20, 30)), axis_labels=("t", "y", "x"))
    placement = snapshot(viewer, [image]).placement
    labels = create_labels(viewer, [image], placement, folder=tmp_path, most_in_memory=1)
    assert isinstance(labels.data, zarr.Array)
    assert labels.data.metadata.dimension_names == ("t", "y", "x")
    check_target(labels, placement)
    viewer.dims.set_current_step(0, 1)
    labels.paint((1, 5, 5), 3)
    assert labels.data[1, 5, 5] == 3
    labels.undo()
    assert not labels.data[1].any()
