"""What every format holds to: whole or not at all, whatever the objects and names are like."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.errors import Cancelled, InvalidInput
from napari_sa2va.io.export import FORMATS, Annotations, export
from napari_sa2va.io.export.space import space_of
from napari_sa2va.io.export.watched import watched
from napari_sa2va.io.import_labels import read_labels
from tests.io.export.conftest import TURNS, pictures, record

if TYPE_CHECKING:
    from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Counted:
    """An array that counts how often it is read, and cannot be read any more after some times."""

    def __init__(self, array: Any, most: int = 10**6) -> None:
        self._array, self._most, self.reads = array, most, 0
        self.shape, self.dtype = array.shape, array.dtype
        self.ndim, self.size = array.ndim, array.size

    def __getitem__(self, index: Any) -> Any:
        self.reads += 1
        if self.reads > self._most:
            raise InvalidInput("the drive is gone")
        return self._array[index]


@pytest.mark.parametrize("name", FORMATS)
def test_a_failure_at_the_end_leaves_the_older_export(
    name: str, stack: Annotations, tmp_path: Path
) -> None:
    path = FORMATS[name].path_in(tmp_path, stack)
    image = stack.pictures
    assert image is not None
    labels, pixels = Counted(stack.labels), Counted(image.arrays[0])
    export(replace(stack, labels=labels, pictures=replace(image, arrays=(pixels,))), name, path)
    before = contents(tmp_path)
    assert before
    first, *others = stack.records
    other = replace(stack, records=(replace(first, phrase="another"), *others))
    with pytest.raises(InvalidInput, match="the drive is gone"):
        export(replace(other, labels=Counted(stack.labels, labels.reads - 1)), name, path)
    if pixels.reads:
        late = replace(image, arrays=(Counted(image.arrays[0], pixels.reads - 1),))
        with pytest.raises(InvalidInput, match="the drive is gone"):
            export(replace(other, pictures=late), name, path)
    assert contents(tmp_path) == before
    assert {one.name.split(".")[0] for one in tmp_path.iterdir()} <= {path.name.split(".")[0]} | {
        f"{stack.file_name}_image",
        f"{stack.file_name}_labels",
        f"{stack.file_name}_report_picture",
        f"{stack.file_name}_objects_by_plane",
    }


class Broken(Counted):
    """An array of a file whose third plane is damaged."""

    def __init__(self, array: Any, error: Exception) -> None:
        super().__init__(array)
        self._error = error

    def __getitem__(self, index: Any) -> Any:
        if index[0] == 2:
            raise self._error
        return super().__getitem__(index)


@pytest.mark.parametrize("name", ["csv", "imagej", "ome-zarr"])
@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(5, "Input/output error"), "Input/output error"),
        (RuntimeError("a bad chunk."), "a bad chunk"),
    ],
)
def test_what_cannot_be_read_is_said(
    name: str, error: Exception, why: str, stack: Annotations, tmp_path: Path
) -> None:
    path, image = FORMATS[name].path_in(tmp_path, stack), stack.pictures
    assert image is not None
    damaged = replace(stack, labels=Broken(stack.labels, error))
    with pytest.raises(InvalidInput, match=rf"^Plane 2 of the labels of my .* read: {why}\. Che"):
        export(damaged, name, path)
    damaged = replace(stack, pictures=replace(image, arrays=(Broken(image.arrays[0], error),)))
    if name != "imagej":  # which has no image
        with pytest.raises(InvalidInput, match=rf"^Plane 2 of the image gray .* read: {why}\. Che"):
            export(damaged, name, path)
    assert not list(tmp_path.iterdir())


ODD = {
    "empty": (np.zeros((8, 9), np.uint8), ()),
    "empty with a row": (np.zeros((2, 8, 9), np.uint8), (record(1),)),
    "large": (np.array([[0, 4_000_000_000]], np.uint32), (record(4_000_000_000, phrase="big"),)),
    "larger": (np.array([[0, 2**63 + 5]], np.uint64), ()),
    "negative": (np.array([[-3, 2]], np.int32), (record(2),)),
    "yes and no": (np.array([[True, False]]), ()),
    "axes": (np.ones((2, 1, 2, 3, 4), np.int64), (record(1, status="rejected", locked=True),)),
    "more axes": (np.ones((1, 1, 2, 1, 3, 4), np.uint8), (record(1, locked=True),)),
    "../a/b\\c:日本 語\n\x00\ud800..": (
        np.eye(4, dtype=np.uint8),
        (record(1, phrase="a\x00 \ud800\t=1", note="\ud800"),),
    ),
    "": (np.eye(4, dtype=np.uint8), ()),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_labels_are_written_as_they_are_or_refused_in_a_sentence(
    case: str, tmp_path: Path
) -> None:
    labels, records = ODD[case]
    axes = ("t", "c", "z", "y", "x") if labels.ndim == 5 else ()
    odd = Annotations(
        case,
        labels,
        space_of(axes, {}, labels.ndim),
        records,
        TURNS,
        pictures=pictures(labels.shape),
    )
    refused = []
    for name, form in FORMATS.items():
        path = form.path_in(tmp_path / name, odd)
        try:
            notes = export(odd, name, path, rejected=True)
        except InvalidInput as error:
            refused.append(name)
            assert "Choose" in str(error)
            assert not path.exists()
            continue
        assert path.parent == tmp_path / name  # no name leads out of the folder
        if name in LABELS_IN:
            read = read_labels(path).whole()
            if case == "axes":  # formats have orders of their own
                assert read.size == labels.size
                assert (read == 1).all()
            else:
                np.testing.assert_array_equal(read, np.where(labels > 0, labels, 0))
        assert any("Negative numbers" in note for note in notes) == (case == "negative")
    assert sorted(refused) == REFUSED.get(case, [])


LABELS_IN = ("imagej", "ome-tiff", "ome-zarr", "ome-zarr-0.4", "coco", "coco-polygons", "nifti")
REFUSED = {
    "large": ["imagej", "nifti"],
    "larger": ["imagej", "nifti", "ome-tiff"],
    "more axes": ["imagej", "nifti", "ome-tiff", "ome-zarr", "ome-zarr-0.4"],
}


def test_it_can_be_followed_and_cancelled(stack: Annotations, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    export(watched(stack, lambda *at: told.append(at), lambda: False), "html", tmp_path / "x.html")
    assert told[:3] == [(1, 3), (2, 3), (3, 3)]
    before = contents(tmp_path)
    stopped = watched(stack, lambda *at: told.append(at), lambda: len(told) > 1)
    told.clear()
    with pytest.raises(Cancelled):
        export(stopped, "html", tmp_path / "x.html")
    assert len(told) == 2
    assert contents(tmp_path) == before


def test_a_folder_that_refuses_gets_a_sentence(stack: Annotations, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for name, form in FORMATS.items():
        with pytest.raises(InvalidInput, match="could not be written"):
            export(stack, name, form.path_in(tmp_path / "file", stack))
    assert contents(tmp_path) == {"file": b"mine"}
