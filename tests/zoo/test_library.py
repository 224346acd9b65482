from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from napari_sa2va.errors import CheckpointError
from napari_sa2va.zoo import library

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "a" * 40


@pytest.fixture(autouse=True)
def own_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path))


def test_what_is_added_is_found_whatever_its_case() -> None:
    added = library.remember(" Our Cells-2B ", "lab/cells", folder=False)
    assert library.load().find("our cells-2b") == added
    assert added == library.Added("Our Cells-2B", "lab/cells", False)
    assert library.load().find("other") is None
    with pytest.raises(CheckpointError, match=r"already the name of lab/cells.*models remove"):
        library.remember("OUR CELLS-2B", "/x", folder=True)
    assert library.forget("our cells-2B") == added
    assert library.forget("our cells-2B") is None
    assert library.load().added == {}


@pytest.mark.parametrize("name", ["", "  ", "a/b", "/a", "..", "-x", "x" * 81, "a\nb"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(CheckpointError, match="cannot be a model's name"):
        library.remember(name, "lab/cells", folder=False)


def test_fetched_commits_are_kept() -> None:
    fetched = library.Fetched(COMMIT, "main", ("config.json",), "https://hub", "2026-01-01")
    library.note_fetched("lab/cells", fetched)
    library.remember("ours", "/ours", folder=True)
    assert library.load().fetched == {"lab/cells": fetched}
    library.note_fetched("lab/cells", None)
    assert library.load().fetched == {}
    assert library.load().find("ours") is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '{"added": 3, "fetched": {}}',
        '{"added": [3, {"name": "x"}], "fetched": [{"hub_id": "x", "files": 3}]}',
    ],
)
def test_a_damaged_list_is_an_empty_one(text: str) -> None:
    library.library_path().write_text(text, encoding="utf-8")
    assert library.load() == library.Library()


def test_a_damaged_list_is_put_aside_before_a_new_one_is_written() -> None:
    path = library.library_path()
    path.write_text('{"added": [', encoding="utf-8")
    library.remember("ours", "lab/model", folder=False)
    assert list(library.load().added) == ["ours"]
    assert path.with_name("models.json.damaged").read_text(encoding="utf-8") == '{"added": ['


def test_a_list_that_cannot_be_written_is_no_matter_after_a_download(tmp_path: Path) -> None:
    library.library_path().mkdir()
    library.note_fetched("lab/cells", library.Fetched(COMMIT, "main", (), "", ""))


def test_who_changes_the_list_at_once_loses_nothing() -> None:
    names = [f"model {number}" for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: library.remember(name, "/some", folder=True), names))
    assert sorted(one.name for one in library.load().added.values()) == names
