"""``batch``: phrases by images, with the demo checkpoint; killed, cancelled, and going on."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from napari_sa2va.cli import batch as batch_module
from napari_sa2va.cli.batch_files import file_names
from napari_sa2va.engine import QuestionDone, Runner
from napari_sa2va.io.batch_table import read_cells, read_wanted, write_cells, write_matrix
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
        ("image,phrase\na.png,the red, round cell\n", "Line 2 of t.csv has more cells"),
        ("image,phrase\n,the cell\n", "no image"),
        ("image,phrases\na.png,the red cell\n", "has 'the red cell' under 'phrases'"),
        ("image,the cell,the cell\na.png,,\n", "twice"),
    ],
)
def test_tables_that_ask_for_nothing(text: str, said: str, call: Any, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    done = call("batch", tmp_path / "t.csv", "-o", tmp_path / "out", *CPU)
    assert (done.code, said in done.err) == (3, True)


def test_commas_quotes_and_formulas_come_through(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('image;"the ""red"", round, large cell"; -b\na.png;;x\n', encoding="utf-8")
    cells = read_wanted(path).cells
    assert [cell.phrase for cell in cells] == ['the "red", round, large cell', "-b"]
    done = [replace(cell, status="found", answer="=1+1") for cell in cells]
    write_cells(tmp_path / "b.csv", done)
    write_matrix(tmp_path / "m.csv", done)
    assert list(read_cells(tmp_path / "b.csv").values()) == done
    for name in ("b.csv", "m.csv"):  # no spreadsheet takes any of it for a formula
        text = (tmp_path / name).read_text(encoding="utf-8-sig")
        written = [cell for row in csv.reader(text.splitlines()) for cell in row]
        assert not any(cell.startswith(("=", "-", "+", "@")) for cell in written)
    path.write_text("Image , Phrase,comment\na.png,b,c\n")
    assert read_wanted(path).unread == ("comment",)


def test_no_two_images_share_a_file_of_labels() -> None:
    images = ["a/cells.png", "b/cells.png", "cells-2.png", "well.A1.tif", "Well.A1.ome.tif"]
    names = file_names(images)
    assert names["b/cells.png"] == "cells-2_labels.tif"
    assert len({name.casefold() for name in names.values()}) == len(images)
    # A name that is there stays, whatever comes before it in the table.
    assert file_names(["new/cells.png", *images], names) == names | {
        "new/cells.png": "cells-1-2_labels.tif"
    }
    assert len(file_names(["細" * 80 + ".png"])["細" * 80 + ".png"].encode()) < 200


def test_a_table_that_changes_loses_no_answer(call: Any, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    table.write_text("image,phrase\ncells.png,the large red cell\n")
    (out / "cells_labels.tif").parent.mkdir()
    (out / "cells_labels.tif").write_bytes(b"mine")
    assert call("batch", table, "-o", out, *CPU).code == 3
    assert (out / "cells_labels.tif").read_bytes() == b"mine"  # no batch: somebody else's
    (out / "cells_labels.tif").unlink()
    assert call("batch", table, "-o", out, *CPU).code == 0
    (first,) = cells_in(out)
    table.write_text("image,phrase\nmore/cells.png,all green cells\ncells.png,all green cells\n")
    assert call("batch", table, "-o", out, *CPU).code == 0
    *_, other, kept = cells_in(out)
    assert kept == first
    assert other["file"] == first["file"] == "cells_labels.tif"
    read = read_label_tiff(out / "cells_labels.tif")
    assert {record.phrase for record in read.records} == {"the large red cell", "all green cells"}
    (out / "cells_labels.tif").unlink()
    table.write_text("image,phrase\ncells.png,the cell\n")
    assert "not there any more. Put it back" in call("batch", table, "-o", out, *CPU).err


def test_files_that_no_run_has_claimed_are_not_written_over(
    call: Any, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    table.write_text("image,phrase\nbroken.png,the cell\n")
    assert call("batch", table, "-o", out, *CPU).code == 3
    (cell,) = cells_in(out)
    assert (cell["status"], cell["file"]) == ("failed", "")
    table.write_text("image,phrase\nbroken.png,the cell\nb.png,the cell\n")
    for name in ("b_labels.tif", "broken_labels.tif"):  # new in the table, and failed before
        (out / name).write_bytes(b"mine")
        for restart in ((), ("--restart",)):
            done = call("batch", table, "-o", out, *CPU, *restart)
            assert done.code == 3
            assert f"{name} is there, and is not of this batch" in done.err
        assert (out / name).read_bytes() == b"mine"
        (out / name).unlink()
    (tmp_path / "matrix.csv").write_text("image,the cell\nbroken.png,\n")
    done = call("batch", tmp_path / "matrix.csv", "-o", tmp_path, *CPU)
    assert (done.code, "matrix.csv is there" in done.err) == (3, True)
    assert (tmp_path / "matrix.csv").read_text() == "image,the cell\nbroken.png,\n"


def test_what_a_killed_run_left_is_of_the_batch(
    call: Any, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    table.write_text("image,phrase\nbroken.png,the cell\n")

    def killed(*_: object) -> None:
        (out / "broken_labels.tif").write_bytes(b"painted")
        raise KeyboardInterrupt  # passes all, as a kill does

    with monkeypatch.context() as patched:
        patched.setattr(batch_module, "open_plane", killed)
        assert call("batch", table, "-o", out, *CPU).code == 130
    assert call("batch", table, "-o", out, *CPU).code == 3
    assert cells_in(out)[0]["status"] == "failed"  # asked again, and not refused


def test_somebody_else_s_table_is_not_overwritten(call: Any, table: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "batch.csv").write_text("a,b\n1,2\n")
    done = call("batch", table, "-o", tmp_path / "out", *CPU)
    assert (done.code, "not the table of an earlier batch" in done.err) == (3, True)
    assert (tmp_path / "out" / "batch.csv").read_text() == "a,b\n1,2\n"
