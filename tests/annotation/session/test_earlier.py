"""Earlier work on an image is found again, and nothing else is taken for it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_sa2va.annotation import Turn
from napari_sa2va.annotation.session import About, ImageInfo, LabelsInfo
from napari_sa2va.annotation.session.earlier import earlier_session
from napari_sa2va.annotation.session.places import begin_session

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.annotation.session import Session

LABELS = LabelsInfo("cells", (9, 9), "int32")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path / "data"))


@pytest.fixture
def wing(tmp_path: Path) -> About:
    (tmp_path / "wing [1].tif").touch()
    return About((ImageInfo("wing", path=str(tmp_path / "wing [1].tif")),), LABELS)


def worked_on(about: About, folder: Path | None = None, *, fold: bool = True) -> Path:
    session = begin_session(about, folder)
    session.append("asked", turns=(0, [Turn("you", "Where?")]))
    (session.close if fold else session.abandon)()
    return session.path


def found(session: Session, folder: Path | None = None) -> Path | None:
    session.abandon()
    return earlier_session(session.about, session.path, folder)


@pytest.mark.parametrize("fold", [True, False])
def test_the_newest_with_anything_in_it_is_found(wing: About, fold: bool) -> None:
    first, second = worked_on(wing, fold=fold), worked_on(wing, fold=fold)
    begin_session(wing).close()  # nothing happened in it
    for path, age in (first, 100), (second, 200):
        changed = (path / "session.json").stat().st_mtime - age
        os.utime(path / "session.json", (changed, changed))
    assert found(begin_session(wing)) == first


def test_one_that_is_being_written_is_not_offered(wing: About) -> None:
    other = begin_session(wing)
    other.append("asked", turns=(0, [Turn("you", "Where?")]))
    assert found(begin_session(wing)) is None
    other.abandon()


def test_one_of_another_image_of_that_name_is_not_meant(wing: About, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "wing [1].tif").touch()
    info = replace(wing.images[0], path=str(tmp_path / "other" / "wing [1].tif"))
    worked_on(About((info,), LABELS), folder)
    assert found(begin_session(wing, folder), folder) is None
    mine = worked_on(wing, folder)
    assert found(begin_session(wing, folder), folder) == mine


def test_samples_are_known_and_images_in_memory_are_not() -> None:
    sample = About((ImageInfo("coins", sample=("napari", "coins")),), LABELS)
    memory = About((ImageInfo("coins"),), LABELS)
    worked_on(memory)
    assert found(begin_session(sample)) is None
    first = worked_on(sample)
    assert found(begin_session(sample)) == first
    assert found(begin_session(memory)) is None
