from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tifffile

import napari_sa2va
from napari_sa2va.cli import screen
from napari_sa2va.cli.demo import run_demo
from napari_sa2va.cli.exit_codes import ExitCode, code_of, overall
from napari_sa2va.engine import ModelChoice, QuestionDone, QuestionStarted, RunDone
from napari_sa2va.errors import (
    Cancelled,
    CheckpointError,
    EngineError,
    InvalidInput,
    NotEnoughMemory,
)
from napari_sa2va.io.log_file import last_lines, start_log

if TYPE_CHECKING:
    from pathlib import Path


# --- ask


def test_the_answer_is_printed_and_nothing_else(
    call: Any, image_file: Path, tiny_folder: Path
) -> None:
    model = ("--model", tiny_folder, "--device", "cpu")
    done = call("ask", image_file, "What is this?", *model)
    document = call("ask", image_file, "What is this?", *model, "--json").json
    assert done.code == 0
    assert done.out == document["replies"][0]["answer"] + "\n"
    assert document["replies"][0]["question"] == "What is this?"
    assert document["image"] == str(image_file)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("missing.png", "What?"), 3, "There is no file"),
        (("cells.png", "  "), 2, "Type a question"),
        (("cells.png", "What?", "--model", "no-such-model"), 4, "no-such-model"),
        (("cells.png", "What?", "--dtype", "int3"), 2, "int3"),
    ],
)
def test_what_goes_wrong_with_a_question(
    call: Any,
    image_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(image_file.parent)
    done = call("ask", *arguments)
    assert done.code == code
    assert words in done.err
    assert done.out == ""


def test_a_failure_is_one_json_document_too(call: Any, tmp_path: Path) -> None:
    document = call("ask", tmp_path / "missing.png", "What?", "--json").json
    assert document["exit_code"] == 3
    assert "There is no file" in document["message"]


@pytest.mark.parametrize(
    ("first", "then", "shown"),
    [
        ("How many cells are there?", "What is @3?", [0, 1]),
        ("What is @7?", "Is it like @3?", [1, 2]),
        ("What are these?", "Are they alike?", [2, 2]),
    ],
)
def test_regions_are_shown_once_they_are_named(
    call: Any,
    image_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    pixels: np.ndarray,
    first: str,
    then: str,
    shown: list[int],
) -> None:
    labels = np.zeros(pixels.shape[:2], np.uint8)
    labels[5:15, 5:15], labels[20:30, 5:15] = 3, 7
    tifffile.imwrite(image_file.with_name("labels.tif"), labels)
    asked: list[int] = []

    class Recording:
        def run(self, request: Any, _: Any) -> Any:
            asked.append(len(request.regions))
            yield QuestionStarted(0, 1, request.text)
            yield QuestionDone(0, "Yes.", (), 0)
            yield RunDone(0.0, cancelled=False)

    monkeypatch.setattr("napari_sa2va.cli.ask.shared_runner", Recording)
    regions = ("--regions", image_file.with_name("labels.tif"))
    assert call("ask", image_file, first, "--follow-up", then, *regions).code == 0
    assert asked == shown


# --- demo


def test_without_a_window_the_demo_names_the_folder(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choice = ModelChoice(str(tiny_folder), "cpu")
    code = run_demo(tmp_path / "demo", headless=True, choice=choice)
    assert code in (ExitCode.OK, ExitCode.NOT_FOUND)  # a random model finds what it finds
    assert str(tmp_path / "demo") in capsys.readouterr().out
    assert tifffile.imread(tmp_path / "demo" / "cells_labels.tif").shape == (256, 256)
    assert (tmp_path / "demo" / "cells_overlay.png").stat().st_size > 10_000
    assert len(pd.read_csv(tmp_path / "demo" / "cells_objects.csv")) >= 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays have names on Linux")
def test_a_display_that_is_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    monkeypatch.setenv("DISPLAY", ":987")
    assert "Qt cannot open the display" in (screen.why_no_window() or "")
    monkeypatch.delenv("DISPLAY")
    assert screen.why_no_window() == "there is no display"
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert screen.why_no_window() == "QT_QPA_PLATFORM=offscreen shows no windows"


def test_a_display_is_noticed(qapp: object) -> None:
    assert screen.why_no_window() is None


# --- doctor


def test_the_doctor_knows_the_machine(call: Any, tmp_path: Path) -> None:
    start_log()
    done = call("doctor", "--report", tmp_path / "report.txt")
    report = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert "torch" in done.out
    assert "demo" in done.out
    assert "Log file" in done.out
    assert str(tmp_path / "report.txt") in done.out
    assert "The log's last lines" in report
    document = call("doctor", "--json").json
    assert document["machine"]["devices"][-1]["name"] == "cpu"
    damaged = [c for c in document["checkpoints"] if c["supported"] and c["problem"]]
    assert document["exit_code"] == (6 if document["machine"]["problems"] or damaged else 0)


# --- the program itself


def test_a_fault_of_ours_is_not_taken_for_not_found(
    call: Any, image_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sa2va.cli.ask.open_plane", lambda *_: 1 / 0)
    monkeypatch.setattr("napari_sa2va.cli.segment.open_plane", lambda *_: 1 / 0)
    start_log()
    for arguments in (("ask", image_file, "What?"), ("segment", image_file, "--text", "x")):
        done = call(*arguments)
        assert done.code == 6
        assert "please report it" in done.err
        assert "Traceback" not in done.err
    assert sum("ZeroDivisionError" in line for line in last_lines()) == 2


def test_help_and_version_come_at_once() -> None:
    code = (
        "import sys\n"
        "from napari_sa2va.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert not {'torch', 'napari', 'qtpy', 'skimage'} & set(sys.modules)\n"
    )
    for arguments, words in [
        (["--version"], napari_sa2va.__version__),
        (["--help"], "doctor"),
        (["segment", "--help"], "--contrast"),
        (["track", "--help"], "--keys"),
    ]:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert words in done.stdout


def test_the_installed_command_reports_its_exit_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from napari_sa2va.cli import main; main()",
            *("ask", str(tmp_path / "missing.png"), "What?", "--json"),
        ],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "NAPARI_SA2VA_LOG_FOLDER": str(tmp_path)},
    )
    assert done.returncode == 3
    assert json.loads(done.stdout)["exit_code"] == 3
    assert b"There is no file" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("x"), 3),
        (CheckpointError("x"), 4),
        (NotEnoughMemory("x"), 5),
        (EngineError("x"), 6),
        (Cancelled("x"), 130),
    ],
)
def test_each_error_has_its_code(error: Any, code: int) -> None:
    assert code_of(error) == code


@pytest.mark.parametrize(
    ("codes", "code"),
    [([0, 1], 0), ([1, 1], 1), ([0, 3, 1], 3), ([0, 4], 4), ([3, 6], 6), ([130, 3], 130)],
)
def test_the_gravest_code_counts(codes: list[int], code: int) -> None:
    assert overall([ExitCode(one) for one in codes]) == code
