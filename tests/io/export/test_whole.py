"""What every format holds to: whole or not at all, whatever the objects and names are like."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.export import FORMATS, export

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations


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
