"""Where sessions go, and which are offered again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_sa2va.annotation.session import ImageInfo, open_session
from napari_sa2va.annotation.session.places import (
    crashed_sessions,
    default_folder,
    folders_for,
    note_recent,
    recent_sessions,
    session_name,
)
from napari_sa2va.io.data_folder import data_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path / "data"))


def test_a_session_goes_beside_its_image(tmp_path: Path) -> None:
    image = tmp_path / "cells.tif"
    image.write_bytes(b"")
    assert folders_for(str(image)) == [tmp_path, default_folder()]
    assert folders_for("") == [default_folder()]
    assert folders_for("https://example.org/cells.tif") == [default_folder()]
    assert data_folder() == tmp_path / "data"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("cells [1]", "cells [1]"), ("a/b:c", "a_b_c"), ("  ..", "image"), ("细胞", "细胞")],
)
def test_names_suit_every_system(name: str, wanted: str) -> None:
    assert session_name(name) == wanted


def test_the_sessions_written_last_are_known(tmp_path: Path) -> None:
    folders = [tmp_path / f"{n}.sa2va" for n in range(40)]
    for folder in folders:
        folder.mkdir()
        note_recent(folder)
    note_recent(folders[20])
    folders[39].rmdir()
    recent = recent_sessions()
    assert recent[:2] == [folders[20], folders[38]]
    assert len(recent) == 29


def test_sessions_that_were_killed_are_told_from_those_that_ended(live: Any) -> None:
    note_recent(live.session.path)
    assert crashed_sessions() == [], "it is being written"
    live.kill()
    assert crashed_sessions() == [live.session.path]
    live.session = open_session(live.session.path)
    assert crashed_sessions() == []


def test_an_image_is_found_where_it_was_and_where_both_were_moved(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "cells.tif").write_bytes(b"")
    info = ImageInfo("cells", path=str(old / "cells.tif")).seen_from(old / "cells.sa2va")
    assert info.found_from(old / "cells.sa2va") == old / "cells.tif"
    old.rename(new)
    assert info.found_from(new / "cells.sa2va") == new / "cells.tif"
    assert info.found_from(tmp_path / "elsewhere" / "x" / "cells.sa2va") is None
    assert ImageInfo("in memory").seen_from(new).found_from(new) is None
