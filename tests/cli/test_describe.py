"""``describe`` and ``ask --regions``: with the demo checkpoint on a scene with known answers."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sa2va.engine import QuestionDone, Runner
from napari_sa2va.samples import SAMPLE_SEED, demo_folder
from napari_sa2va.samples.scenes import make_scene, render
from napari_sa2va.zoo.weights import weights_identity

if TYPE_CHECKING:
    from pathlib import Path

SCENE = make_scene(SAMPLE_SEED)
CPU = ("--device", "cpu")
LARGE = [number for number, cell in enumerate(SCENE.cells, start=1) if cell.size == "large"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "cells.png"
    Image.fromarray(render(SCENE)).save(path)
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.tif"
    plane = np.zeros(SCENE.masks().shape[1:], np.uint16)
    for number, mask in enumerate(SCENE.masks(), start=1):
        plane[mask] = number
    tifffile.imwrite(path, plane)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_each_label_gets_a_row(call: Any, image: Path, labels: Path, tmp_path: Path) -> None:
    done = call("describe", image, labels, *CPU, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    rows = rows_of(tmp_path / "out" / "cells_descriptions.csv")
    assert [int(row["label"]) for row in rows] == list(range(1, len(SCENE.cells) + 1))
    for row, cell, mask in zip(rows, SCENE.cells, SCENE.masks(), strict=True):
        assert cell.color in row["description"]
        assert int(row["area_px"]) == mask.sum()
        assert row["weights"] == weights_identity(demo_folder()).digest
        # Of 256 pixels, large cells cover four tokens and small ones do not.
        assert row["looked"].startswith("crop of") == (cell.size == "small")
        if cell.size == "large":
            assert "large" in row["description"]
        assert f"{row['label']}  {row['description']}" in done.out
    asked = ("--label", LARGE[0], "--question", "What shape is region1?")
    done = call("describe", image, labels, *asked, *CPU, "-o", tmp_path / "out")
    assert f"(rows kept from before: {len(rows) - 1})" in done.out
    for row, before in zip(rows_of(tmp_path / "out" / "cells_descriptions.csv"), rows, strict=True):
        assert (row == before) == (int(row["label"]) != LARGE[0])
    # Rows of another image with the same name but for its ending do not stay.
    other = image.with_suffix(".tif")
    tifffile.imwrite(other, render(SCENE))
    call("describe", other, labels, *asked, *CPU, "-o", tmp_path / "out")
    assert [row["image"] for row in rows_of(tmp_path / "out" / "cells_descriptions.csv")] == [
        other.name
    ]


def test_some_labels_a_question_of_ones_own_and_json(
    call: Any, image: Path, labels: Path, tmp_path: Path
) -> None:
    chosen = ("--label", LARGE[0], "--label", LARGE[1])
    question = ("--question", "Please describe the region1 in detail.")
    done = call("describe", image, labels, *chosen, *question, *CPU, "-o", tmp_path, "--json")
    document = done.json
    assert (document["described"], document["total"]) == (2, 2)
    for said, number in zip(document["descriptions"], LARGE, strict=False):
        assert said["label"] == number
        assert {"large", SCENE.cells[number - 1].color} <= set(said["description"].split())
        assert said["question"] == "Please describe the region1 in detail."


def test_after_a_cancel_the_table_has_what_was_said(
    call: Any, image: Path, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = len(SCENE.cells)
    assert call("describe", image, labels, "--label", last, *CPU, "-o", tmp_path).code == 0
    run = Runner.run

    def cancelled_soon(self: Runner, request: Any, cancelled: Any) -> Any:
        for event in run(self, request, cancelled):
            yield event
            if isinstance(event, QuestionDone) and event.index == 1:
                cancelled.set()

    monkeypatch.setattr(Runner, "run", cancelled_soon)
    done = call("describe", image, labels, *CPU, "-o", tmp_path)
    assert done.code == 130
    rows = rows_of(tmp_path / "cells_descriptions.csv")
    assert [int(row["label"]) for row in rows] == [1, 2, last]


def test_a_question_names_labels(call: Any, image: Path, labels: Path) -> None:
    regions = ("--regions", labels)
    done = call("ask", image, f"Please describe @{LARGE[1]} in detail.", *regions, *CPU)
    assert done.code == 0
    assert {"large", SCENE.cells[LARGE[1] - 1].color} <= set(done.out.split())
    assert done.err == ""
    small = next(n for n, cell in enumerate(SCENE.cells, start=1) if cell.size == "small")
    done = call("ask", image, f"Please describe @{small} in detail.", *regions, *CPU)
    assert "The model looked at a crop of" in done.err
    done = call("ask", image, "Compare @99 with region1", *regions, *CPU)
    assert done.code == 3
    assert "@99 is not there" in done.err


def test_questions_follow_each_other(call: Any, image: Path, labels: Path) -> None:
    first, second = f"Please describe @{LARGE[1]} in detail.", f"What shape is @{LARGE[0]}?"
    arguments = ("ask", image, first, "--follow-up", second, "--regions", labels, *CPU)
    lines = call(*arguments).out.splitlines()
    document = call(*arguments, "--json").json
    asked = [first, second]
    assert lines[::2] == [f"> {text}" for text in asked]
    replies = document["replies"]
    assert lines[1::2] == [reply["answer"] for reply in replies]
    assert [reply["question"] for reply in replies] == [
        text.replace(f"@{label}", f"region{number}")
        for number, (text, label) in enumerate(zip(asked, LARGE[1::-1], strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((256, 256), np.uint8), "no label in this plane"),
        (np.ones((64, 256), np.uint8), "64 by 256 pixels, the image 256 by 256"),
        (np.full((256, 256), 0.5, np.float32), "fractions"),
        (np.ones((256, 256, 3), np.uint8), "colour picture"),
    ],
)
def test_what_is_no_label_image(
    call: Any, image: Path, tmp_path: Path, array: np.ndarray, words: str
) -> None:
    path = tmp_path / "wrong.npy"
    np.save(path, array)
    done = call("describe", image, path, *CPU, "-o", tmp_path)
    assert done.code == 3
    assert words in done.err


def test_labels_that_are_not_there_and_questions_about_others(
    call: Any, image: Path, labels: Path, tmp_path: Path
) -> None:
    done = call("describe", image, labels, "--label", 77, *CPU)
    assert (done.code, "no label 77" in done.err) == (3, True)
    done = call("describe", image, labels, "--question", "Is it like @2?", *CPU)
    assert (done.code, "ask --regions" in done.err) == (2, True)
    done = call("describe", image, tmp_path / "missing.tif", *CPU)
    assert (done.code, "There is no file" in done.err) == (3, True)
    (tmp_path / "cells_descriptions.csv").write_text("label,notes\n1,mine\n")
    done = call("describe", image, labels, *CPU, "-o", tmp_path)
    assert (done.code, "is not a table of descriptions" in done.err) == (3, True)


def test_planes_of_stacks(call: Any, tmp_path: Path) -> None:
    blank = np.zeros((2, 256, 256), np.uint16)
    for number, mask in enumerate(SCENE.masks(), start=1):
        blank[1][mask] = number
    np.save(tmp_path / "labels.npy", blank)
    gray = np.stack([np.zeros((256, 256), np.uint8), render(SCENE).max(axis=2)])
    np.save(tmp_path / "stack.npy", gray)
    files = (tmp_path / "stack.npy", tmp_path / "labels.npy")
    wanted = ("--label", LARGE[0], "-o", tmp_path)
    assert call("describe", *files, *wanted, "--index", 1, *CPU).code == 0
    assert "no label" in call("describe", *files, *wanted, "--index", 0, *CPU).err
