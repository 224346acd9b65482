"""Tables of objects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from napari_sa2va.io.export import export
from napari_sa2va.io.export.space import space_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations

READERS = {"csv": pd.read_csv, "parquet": pd.read_parquet}


@pytest.mark.parametrize("name", READERS)
def test_a_row_per_object_and_a_row_per_object_and_frame(
    name: str, stack: Annotations, tmp_path: Path
) -> None:
    notes = export(stack, name, tmp_path / f"x.{name}")
    objects = READERS[name](tmp_path / f"x.{name}")
    assert objects["label"].tolist() == [1, 2, 5]
    assert objects["phrase"].tolist() == [record.phrase for record in stack.records]
    assert objects["planes"].tolist() == [2, 2, 1]
    first = objects.iloc[0]
    assert first["pixels"] == 170 + 150
    assert first["area_um2"] == pytest.approx(160 * 0.125)
    assert (first["first_plane"], first["last_plane"]) == ("t 0", "t 1")
    assert objects["volume_um3"].isna().all()  # frames are no depth
    assert first["centroid_y_um"] == pytest.approx(first["mean_row"] * 0.5)
    image = stack.pictures.arrays[0]
    inside = image[stack.labels == 1]
    bright = first[["mean_gray", "min_gray", "max_gray"]].tolist()
    assert bright == pytest.approx([inside.mean(), inside.min(), inside.max()])
    planes = READERS[name](tmp_path / f"x_by_plane.{name}")
    assert planes.iloc[1]["max_gray"] == image[0][stack.labels[0] == 2].max()
    assert len(planes) == 5
    assert planes.iloc[0][["label", "t", "pixels", "left", "top"]].tolist() == [1, 0, 170, 3, 2]
    assert planes.iloc[0]["row"] == pytest.approx(6.5)
    assert any("x_by_plane" in note for note in notes)


def test_a_volume_has_one(stack: Annotations, tmp_path: Path) -> None:
    shown = {"scale": (2, 0.5, 0.5), "units": ["micrometer"] * 3}
    export(replace(stack, space=space_of((), shown, 3)), "csv", tmp_path / "x.csv")
    objects = pd.read_csv(tmp_path / "x.csv")
    assert objects["volume_um3"][0] == pytest.approx(320 * 0.5)
    assert objects["centroid_z_um"][0] == pytest.approx(2 * 150 / 320)


def test_one_plane_has_one_table(plane: Annotations, tmp_path: Path) -> None:
    notes = export(plane, "csv", tmp_path / "x.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
    assert any("size of a pixel is not known" in note for note in notes)
    assert pd.read_csv(tmp_path / "x.csv")["area_um2"].isna().all()


def test_words_are_no_formulas(plane: Annotations, tmp_path: Path) -> None:
    sly = replace(plane.records[0], phrase="=HYPERLINK(1)", note="-2+3")
    export(replace(plane, records=(sly,)), "csv", tmp_path / "x.csv")
    text = (tmp_path / "x.csv").read_text(encoding="utf-8-sig")
    assert "'=HYPERLINK(1)" in text
    assert "'-2+3" in text


def test_columns_have_the_same_types_whatever_is_in_them(
    stack: Annotations, tmp_path: Path
) -> None:
    nothing = replace(stack, labels=np.zeros_like(stack.labels), records=())
    for name, one in (("full", stack), ("empty", nothing)):
        export(one, "parquet", tmp_path / f"{name}.parquet")
    for which in ("", "_by_plane"):
        full, empty = (
            parquet.read_schema(tmp_path / f"{name}{which}.parquet") for name in ("full", "empty")
        )
        assert empty.equals(full)
        assert "null" not in map(str, full.types)
