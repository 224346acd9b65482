"""``napari-sa2va export``, as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from napari_sa2va.cli.app import app
from napari_sa2va.cli.options import ExportFormat
from napari_sa2va.io.export import FORMATS
from tests.io.export.conftest import session

__all__ = ["session"]


def run(*arguments: object) -> object:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_every_format_has_its_name_on_the_command_line() -> None:
    assert [one.value for one in ExportFormat] == list(FORMATS)


def test_a_session_in_all_formats(session: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    twice = {"ome-zarr-0.4", "coco-polygons"}  # endings of others
    names = [name for name in FORMATS if name not in twice]
    ended = run(session, out, "--json", *(part for name in names for part in ("-f", name)))
    assert ended.exit_code == 0, ended.output
    said = json.loads(ended.stdout)
    assert [one["format"] for one in said["written"]] == names
    assert all(Path(one["path"]).exists() for one in said["written"])
    assert {path.name for path in out.iterdir()} >= {"cells_labels.tif", "cells.ome.zarr"}
    for name in sorted(twice):
        ended = run(session, tmp_path / "two", "-f", name)
        assert ended.exit_code == 0, ended.output


def test_notes_are_told_on_stderr(session: Path, tmp_path: Path) -> None:
    ended = run(session, tmp_path / "x.coco.json", "--format", "coco")
    assert ended.exit_code == 0
    assert ended.stdout == f"wrote {tmp_path / 'x.coco.json'}\n"
    assert "The conversation is not in the file." in ended.stderr


def test_any_labels_with_an_image(tmp_path: Path) -> None:
    labels = np.zeros((30, 40), np.uint8)
    labels[3:9, 4:20] = 3
    np.save(tmp_path / "labels.npy", labels)
    tifffile.imwrite(tmp_path / "image.tif", np.arange(1200, dtype=np.uint16).reshape(30, 40))
    ended = run(tmp_path / "labels.npy", tmp_path / "set", "-f", "yolo")
    assert ended.exit_code == 3
    assert "--image" in ended.stderr
    ended = run(
        tmp_path / "labels.npy", tmp_path / "set", "-f", "yolo", "--image", tmp_path / "image.tif"
    )
    assert ended.exit_code == 0, ended.output
    assert (tmp_path / "set/labels/train/labels.txt").read_text().startswith("0 0.1")


def test_labels_of_one_name_do_not_take_each_other_s_place(tmp_path: Path) -> None:
    def exported(folder: str) -> object:
        labels, image = tmp_path / folder / "cells_labels.npy", tmp_path / folder / "cells.npy"
        return run(labels, out, "-f", "yolo", "--image", image)

    out = tmp_path / "set"
    out.mkdir()
    for number, folder in enumerate("ab", start=1):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "cells_labels.npy", np.full((6, 8), number, np.uint8))
        np.save(tmp_path / folder / "cells.npy", np.full((6, 8), number, np.uint8))
    assert exported("a").exit_code == 0
    said = (out / "cells_yolo/napari-sa2va.json").read_text()
    assert tmp_path.name not in said  # data sets are given to others
    ended = exported("b")
    assert (ended.exit_code, "exported from other labels" in ended.stderr) == (3, True)
    assert (out / "cells_yolo/napari-sa2va.json").read_text() == said
    assert exported("a").exit_code == 0  # corrected, say


@pytest.mark.parametrize("name", ["imagej", "ome-tiff", "ome-zarr", "coco", "nifti"])
def test_what_was_exported_can_be_exported_again(name: str, session: Path, tmp_path: Path) -> None:
    first = FORMATS[name].path_in(tmp_path, type("X", (), {"file_name": "x"})())  # type: ignore[arg-type]
    assert run(session, first, "-f", name).exit_code == 0
    ended = run(first, tmp_path / "x.csv", "-f", "csv")
    assert ended.exit_code == 0, ended.output
    text = (tmp_path / "x.csv").read_text(encoding="utf-8-sig")
    assert "the large red cell" in text
    assert "zwei Kerne" in text


@pytest.mark.parametrize("name", ["yolo", "refcoco", "finetuning"])
def test_a_data_set_is_made_anew_and_takes_that_of_another_session_beside_its_files(
    name: str, session: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "set", tmp_path / "other" / session.name
    for _ in range(2):
        ended = run(session, out, "-f", name)
        assert ended.exit_code == 0, ended.output
        assert ended.stdout == f"wrote {out}\n"
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    shutil.copytree(session, other)
    head = json.loads((other / "session.json").read_text(encoding="utf-8"))
    (other / "session.json").write_text(json.dumps(head | {"created": "later"}))
    ended = run(other, out, "-f", name)
    assert ended.exit_code == 0, ended.output
    assert ended.stdout == f"wrote {out / f'cells_{name}'}\n"
    assert {path: path.read_bytes() for path in before} == before
    ended = run(session, out, "-f", name)  # beside that of the other session
    assert ended.exit_code == 3, ended.output
    shutil.rmtree(out / f"cells_{name}")
    assert run(session, out, "-f", name).stdout == f"wrote {out}\n"


def test_neither_image_nor_source_is_written_over(session: Path, tmp_path: Path) -> None:
    labels, image = tmp_path / "labels.npy", tmp_path / "page_picture.png"
    np.save(labels, np.ones((30, 40), np.uint8))
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(image)
    before = {path: path.read_bytes() for path in (labels, image, tmp_path / "cells.npy")}
    for arguments, words in [
        ((session, tmp_path / "cells.npy", "-f", "imagej"), "cells.npy is the image"),
        ((labels, image, "-f", "imagej", "--image", image), "picture.png is the image"),
        ((labels, tmp_path / "PAGE_Picture.PNG", "-f", "csv", "--image", image), "is the image"),
        ((labels, tmp_path / "page.md", "-f", "markdown", "--image", image), "is the image"),
        ((labels, labels, "-f", "csv"), "is what is exported"),
    ]:
        ended = run(*arguments)
        assert (ended.exit_code, words in ended.stderr) == (3, True), ended.output
    assert {path: path.read_bytes() for path in before} == before


def test_mistakes_get_a_sentence(session: Path, tmp_path: Path) -> None:
    assert run(session, tmp_path).exit_code == 2
    ended = run(tmp_path / "nothing", tmp_path, "-f", "csv")
    assert (ended.exit_code, "There is no file" in ended.stderr) == (3, True)
    ended = run(session, tmp_path / "o", "-f", "coco", "-f", "coco-polygons")
    assert (ended.exit_code, "one by one" in ended.stderr) == (3, True)
    ended = run(session, tmp_path / "o.csv", "-f", "csv", "-f", "html")
    assert (ended.exit_code, "Give a folder" in ended.stderr) == (3, True)
