from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from napari_sa2va.io import log_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NAPARI_SA2VA_LOG_FOLDER", str(tmp_path / "logs"))
    yield tmp_path / "logs"
    log_file.stop_log()


def test_what_the_package_logs_is_in_the_file_once(folder: Path) -> None:
    path = log_file.start_log()
    assert log_file.start_log() == path == folder / "napari-sa2va.log"
    logging.getLogger("napari_sa2va.engine").info("a run: %s", "μ")
    logging.getLogger("elsewhere").warning("not ours")
    (line,) = log_file.last_lines()
    assert line.endswith("napari_sa2va.engine: a run: μ")


def test_the_file_stays_small(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(log_file, "_BYTES", 2000)
    log_file.start_log()
    for number in range(200):
        logging.getLogger("napari_sa2va").info("line %d %s", number, "x" * 50)
    assert len(list(folder.iterdir())) == 4
    assert all(path.stat().st_size <= 2000 for path in folder.iterdir())
    assert "line 199" in log_file.last_lines(1)[0]


def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAPARI_SA2VA_LOG_FOLDER", str(tmp_path / "file"))
    assert log_file.start_log() is None
    assert log_file.last_lines() == []
