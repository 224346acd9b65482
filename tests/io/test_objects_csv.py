from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from napari_sa2va.io.objects_csv import ObjectRow, write_objects

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    found = ObjectRow(
        image="a, b.tif",
        label=1,
        phrase='the "large" µ-cell',
        question="Please segment it.",
        answer="Sure, [SEG].\nSecond line.",
        score=0.912345678,
        area_px=12,
        area=3.0,
        unit="um^2",
    )
    missing = ObjectRow("a, b.tif", 0, "a unicorn", "Please segment a unicorn.", "There is none.")
    write_objects(tmp_path / "objects.csv", [found, missing])

    table = pd.read_csv(tmp_path / "objects.csv")
    assert table["label"].tolist() == [1, 0]
    assert table["phrase"].tolist() == ['the "large" µ-cell', "a unicorn"]
    assert table["answer"][0] == "Sure, [SEG].\nSecond line."
    assert table["score"][0] == 0.912346
    assert table["area"][0] == 3.0
    assert table["score"].isna().tolist() == [False, True]


def test_spreadsheets_take_it_for_text(tmp_path: Path) -> None:
    row = ObjectRow("-caf\udce9.tif", 1, "=1+1", "@a", "µ", score=-0.5)
    write_objects(tmp_path / "objects.csv", [row])
    text = (tmp_path / "objects.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbfimage,label,")
    assert text.decode("utf-8-sig").splitlines()[1].startswith("'-caf?.tif,1,'=1+1,'@a,µ,-0.5,")


def test_no_rows_still_name_the_columns(tmp_path: Path) -> None:
    write_objects(tmp_path / "objects.csv", [])
    assert list(pd.read_csv(tmp_path / "objects.csv").columns[:3]) == ["image", "label", "phrase"]
