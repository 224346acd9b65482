from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import check_folder, replacing, replacing_folder


def test_the_file_appears_whole_in_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "out.csv"
    with replacing(path) as temporary:
        temporary.write_text("1")
        assert temporary.suffix == ".csv"
        assert not path.exists()
    assert path.read_text() == "1"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "out.csv"
    with pytest.raises(InvalidInput, match="could not be written"), replacing(path):
        pytest.fail("there is nothing to write to")
    with pytest.raises(InvalidInput, match="could not be written"):
        check_folder(path.parent)


def test_a_folder_is_made_and_stays_empty(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert not list((tmp_path / "a" / "b").iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows renames no folder that somebody is in")
def test_the_current_folder_is_replaced_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "mark").write_text("old")
    monkeypatch.chdir(folder)
    with replacing_folder(Path(), "mark") as new:
        (new / "mark").write_text("new")
    assert (folder / "mark").read_text() == "new"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_others_may_read_it_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with replacing(tmp_path / "ours") as temporary:
        temporary.write_text("")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")}
    assert len(modes) == 1
