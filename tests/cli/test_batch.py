"""``batch``: phrases by images, with the demo checkpoint; killed, cancelled, and going on."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from napari_sa2va.engine import QuestionDone, Runner
from napari_sa2va.io.import_tiff import read_label_tiff
from napari_sa2va.samples import SAMPLE_SEED, demo_folder
from napari_sa2va.samples.scenes import make_scene, render
from napari_sa2va.zoo.weights import weights_identity

if TYPE_CHECKING:
    from pathlib import Path

CPU = ("--device", "cpu")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two pictures, one in a folder of the same name, and one that is no picture."""
    for number, place in enumerate(("cells.png", "more/cells.png")):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(render(make_scene(SAMPLE_SEED + number))).save(path)
    (tmp_path / "broken.png").write_bytes(b"nothing")
    rows = [
        "image;the large red cell;all green cells",
        "cells.png;;",
        "broken.png;-;",
        "more/cells.png;x;-",
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def cells_in(folder: Path) -> list[dict[str, str]]:
    with (folder / "batch.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_status_per_cell_labels_per_image_and_going_on(
    call: Any, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = call("batch", table, "-o", out, *CPU)
    assert done.code == 3  # one image could not be read
    cells = cells_in(out)
    asked = [(cell["image"], cell["phrase"]) for cell in cells]
    assert asked == [
        ("cells.png", "the large red cell"),
        ("cells.png", "all green cells"),
        ("broken.png", "all green cells"),
        ("more/cells.png", "the large red cell"),
    ]
    assert [cell["status"] for cell in cells][:3] == ["found", "found", "failed"]
    assert "cannot be read as an image" in cells[2]["message"]
    assert cells[0]["weights"] == weights_identity(demo_folder()).digest
    assert cells[0]["file"] == "cells-1_labels.tif"
    read = read_label_tiff(out / "cells-1_labels.tif")
    plane = read.plane(())
    assert set(np.unique(plane)) - {0} == {
        int(label) for cell in cells[:2] for label in cell["labels"].split()
    }
    assert {record.phrase for record in read.records} == {"the large red cell", "all green cells"}
    matrix = (out / "matrix.csv").read_text(encoding="utf-8-sig").splitlines()
    assert matrix[1] == f"cells.png,{cells[0]['objects']},{cells[1]['objects']}"
    assert matrix[2] == "broken.png,-,failed"

    Image.fromarray(render(make_scene(SAMPLE_SEED + 2))).save(tmp_path / "broken.png")
    again = call("batch", table, "-o", out, *CPU, "--json")
    assert again.json["kept"] == 3
    assert cells_in(out)[:2] == cells[:2]  # not asked again
    assert cells_in(out)[2]["status"] in ("found", "not found")


def test_after_a_cancel_or_a_kill_the_rest_is_asked(
    call: Any, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    table.write_text("image,phrase\ncells.png,the large red cell\ncells.png,all green cells\n")
    assert call("batch", table, "-o", whole, *CPU).code == 0
    run = Runner.run

    def cancelled_soon(self: Runner, request: Any, cancelled: Any) -> Any:
        for event in run(self, request, cancelled):
            yield event
            if isinstance(event, QuestionDone):
                cancelled.set()

    with monkeypatch.context() as patched:
        patched.setattr(Runner, "run", cancelled_soon)
        assert call("batch", table, "-o", out, *CPU).code == 130
    assert [cell["status"] for cell in cells_in(out)] == ["found", "waiting"]
    early = (out / "batch.csv").read_bytes()
    for _ in range(2):
        assert call("batch", table, "-o", out, *CPU).code == 0
        got, expected = (
            read_label_tiff(folder / "cells_labels.tif").plane(()) for folder in (out, whole)
        )
        np.testing.assert_array_equal(got, expected)
        # As if it had been killed between labels and table: what it painted is not kept twice.
        (out / "batch.csv").write_bytes(early)


def test_answers_to_other_settings_are_not_mixed(call: Any, table: Path, tmp_path: Path) -> None:
    table.write_text("image,phrase\nbroken.png,the cell\n")
    assert call("batch", table, "-o", tmp_path / "out", *CPU).code == 3
    done = call("batch", table, "-o", tmp_path / "out", *CPU, "--contrast", "0,9")
    assert (done.code, "--restart" in done.err) == (3, True)
    done = call("batch", table, "-o", tmp_path / "out", *CPU, "--contrast", "0,9", "--restart")
    assert "--restart" not in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs a first row"),
        ("file,phrase\na,b\n", "needs a first row"),
        ("image,phrase\n,\n", "asks for nothing"),
        ("image,phrase\na.png,???\n", "Type what to segment"),
    ],
)
def test_tables_that_ask_for_nothing(text: str, said: str, call: Any, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    done = call("batch", tmp_path / "t.csv", "-o", tmp_path / "out", *CPU)
    assert (done.code, said in done.err) == (3, True)


def test_somebody_else_s_table_is_not_overwritten(call: Any, table: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "batch.csv").write_text("a,b\n1,2\n")
    done = call("batch", table, "-o", tmp_path / "out", *CPU)
    assert (done.code, "not the table of an earlier batch" in done.err) == (3, True)
    assert (tmp_path / "out" / "batch.csv").read_text() == "a,b\n1,2\n"
