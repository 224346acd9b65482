"""Where annotations come from: sessions and layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from napari.layers import Image, Labels

from napari_sa2va.annotation import ObjectTable
from napari_sa2va.annotation.session import ImageInfo, load
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.export.annotations import Annotations, without_rejected
from napari_sa2va.io.export.from_layers import layer_annotations
from napari_sa2va.io.export.from_session import session_annotations
from napari_sa2va.io.export.image_files import picture_file, pictures_of
from napari_sa2va.io.export.space import layer_arguments, layer_matrix, space_of
from napari_sa2va.io.import_labels import opened_annotations
from tests.io.export.conftest import record


def test_a_session_brings_labels_rows_words_and_picture(session: Path, stack: Annotations) -> None:
    with session_annotations(session) as found:
        np.testing.assert_array_equal(np.asarray(found.labels[...]), stack.labels[...])
        assert found.records == stack.records
        assert found.turns == stack.turns
        assert (found.space.axes, found.space.units) == (stack.space.axes, stack.space.units)
        assert found.provenance.models[0].weights == "sha256:abc"
        assert found.provenance.settings["track"] == {
            "runs": 1,
            "method": "official",
            "keys": [0],
        }
        assert found.pictures is not None
        picture = found.pictures.plane((2,))
        assert picture.shape == (40, 50, 3)
        assert picture.max() == 255
    assert found.notes == ()


def test_large_labels_of_a_session_are_not_held_in_memory(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sa2va.io.export.from_session._MOST_IN_MEMORY", 10)
    with session_annotations(session) as found:
        store = Path(found.labels.store.root)
        assert found.plane((0,))[5, 5] == 1
        assert store.exists()
    assert not store.exists()


def test_an_image_that_is_gone_is_told_of(session: Path) -> None:
    (session.parent / "cells.npy").unlink()
    with session_annotations(session) as found:
        assert found.pictures is None
        assert "not there any more" in found.notes[0]


def test_an_image_whose_brightness_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    zarr.open_group(str(path), mode="w", zarr_format=2)["0"] = np.ones((3, 4), np.uint16)
    (path / "0/0.0").write_bytes(b"damaged")
    with pytest.raises(InvalidInput, match=r"The image x\.zarr could not be read"):
        picture_file(path, (3, 4))


def test_a_channel_is_not_guessed_where_another_was_not_looked_at(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "x.zarr"), mode="w", zarr_format=2)
    group["0"] = np.stack([np.full((3, 4), value, np.uint8) for value in (1, 2)])
    axes, datasets = [{"name": axis} for axis in "cyx"], [{"path": "0"}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    path = str(tmp_path / "x.zarr")
    shown = {"contrast_limits": [0, 2]}
    dapi, gfp = (ImageInfo(name, path, shape=(3, 4), shown=shown) for name in ("DAPI", "GFP"))
    both, notes = pictures_of([dapi, gfp], tmp_path, (3, 4))
    assert both is not None and not notes
    assert [int(np.asarray(array[...]).max()) for array in both.arrays] == [1, 2]
    one, notes = pictures_of([gfp], tmp_path, (3, 4))
    assert one is None
    assert "the session does not say which" in notes[0]


def test_a_damaged_session_gives_what_can_be_saved(session: Path) -> None:
    (session / "session.json").write_text("{")
    with session_annotations(session) as found:
        assert len(found.records) == len(load_damaged(session).records) == 3
        assert "session.json" in found.notes[0]


def load_damaged(path: Path) -> object:
    try:
        return load(path)
    except Exception as error:
        return error.saved


def test_layers_bring_the_same(stack: Annotations) -> None:
    labels = Labels(
        stack.labels,
        name="cells · Sa2VA",
        features=ObjectTable(stack.records).features(),
        **layer_arguments(stack.space),
    )
    image = Image(np.zeros((3, 40, 50), np.uint8), name="cells", colormap="green")
    found = layer_annotations([layer.as_layer_data_tuple() for layer in (image, labels)])
    assert found.name == "cells"
    assert found.records == stack.records
    assert found.space.axes == ("t", "y", "x")
    np.testing.assert_allclose(found.space.matrix, stack.space.matrix)
    assert found.pictures is not None
    assert found.pictures.channels[0].lut[255].tolist() == [0, 255, 0]


def test_a_layer_and_its_session_are_known_as_the_same(session: Path) -> None:
    layer = Labels(np.ones((4, 5), np.uint8), metadata={"napari_sa2va": {"session": str(session)}})
    here = layer_annotations([layer.as_layer_data_tuple()]).provenance
    with opened_annotations(session) as found:
        assert here.created == found.provenance.created != ""
        assert here.source == found.provenance.source != ""
        nowhere = replace(here, created="")  # what it says of itself is damaged
        assert found.provenance.is_that_of(nowhere.origin())
    assert not here.is_that_of(replace(here, created="later").origin())


def test_any_labels_layer_will_do() -> None:
    found = layer_annotations([Labels(np.ones((4, 5), np.uint8)).as_layer_data_tuple()])
    assert found.records == ()
    assert found.space.units == ("pixel", "pixel")
    with pytest.raises(InvalidInput, match="one Labels layer"):
        layer_annotations([])


def test_a_layer_that_is_turned_keeps_its_place() -> None:
    labels = Labels(np.ones((3, 4, 5), np.uint8), scale=(2, 3, 4), rotate=30, translate=(1, 2, 3))
    meta = labels.as_layer_data_tuple()[1]
    space = space_of(meta["axis_labels"], meta, 3)
    again = Labels(np.ones((3, 4, 5), np.uint8), **layer_arguments(space))
    meta = again.as_layer_data_tuple()[1]
    np.testing.assert_allclose(layer_matrix(meta, 3), space.matrix)
    np.testing.assert_allclose(space.scale, (2, 3, 4))


def test_rejected_objects_are_left_out_and_counted(stack: Annotations) -> None:
    one, two, five = stack.records
    marked = replace(stack, records=(one, replace(two, status="rejected"), five))
    kept = without_rejected(marked)
    assert [record.label for record in kept.records] == [1, 5]
    assert set(np.unique(kept.plane((0,)))) == {0, 1}
    assert kept.notes == ("1 rejected object is left out.",)


def test_a_rejected_label_that_the_array_cannot_hold_takes_no_other_along(
    plane: Annotations,
) -> None:
    small = replace(plane, labels=np.full((2, 2), 44, np.uint8))
    gone = without_rejected(replace(small, records=(record(300, status="rejected"),)))
    assert (gone.whole() == 44).all()
