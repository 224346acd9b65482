"""Pictures of runs and answers: what they show is what was measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from napari_sa2va.training.answers import _FOUND, _TRUE, _judged, _outlined
from napari_sa2va.training.curves import draw_curves, read_logs
from napari_sa2va.training.sheet import COLUMNS, SIDE, compose, wrapped

if TYPE_CHECKING:
    from pathlib import Path


def _log(folder: Path, minutes: list[float]) -> Path:
    folder.mkdir()
    rows = [
        {"step": 20, "minutes": m, "rate": 1e-3, "mask": 1 / m, "mask IoU": 0.5} for m in minutes
    ]
    path = folder / "log.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_runs_follow_each_other(tmp_path: Path) -> None:
    logs = [_log(tmp_path / "look", [1.0, 2.0]), _log(tmp_path / "talk", [1.0])]
    rows, ends = read_logs(logs)
    assert [row["minutes"] for row in rows] == [1.0, 2.0, 3.0]
    assert ends == [2.0, 3.0]
    pytest.importorskip("matplotlib")
    draw_curves(logs, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_answers_are_judged_and_outlined(tmp_path: Path) -> None:
    mask, half = np.zeros((40, 80), bool), np.zeros((40, 80), bool)
    mask[10:30, 10:50] = half[10:30, 10:30] = True
    assert _judged([mask], [mask]) == ("IoU 1.00", True)
    assert _judged([half], [mask]) == ("IoU 0.50", False)
    assert _judged([], [mask]) == ("refused", False)
    assert _judged([], []) == ("refused, rightly", True)
    assert _judged([half], []) == ("made up", False)
    drawn = _outlined(np.zeros((40, 80, 3), np.uint8), [mask], [half])
    assert drawn.shape[1] == SIDE - 4
    colors = {tuple(color) for color in drawn.reshape(-1, 3).tolist()}
    assert colors == {(0, 0, 0), _FOUND, _TRUE}
    caption = wrapped("the small magenta ring-shaped cell on the left")
    assert caption.splitlines() == ["the small magenta", "ring-shaped cell on", "the left"]
    compose([[(drawn, caption)] * 2, [(drawn, "")]], 3, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == COLUMNS * SIDE
        assert sheet.height > 2 * SIDE
