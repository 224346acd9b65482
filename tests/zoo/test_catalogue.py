from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from napari_sa2va.errors import CheckpointError
from napari_sa2va.zoo.catalogue import (
    CATALOGUE,
    DEMO,
    Capability,
    Family,
    check_supported,
    find,
)
from napari_sa2va.zoo.table import COLUMNS, abilities_table, markdown_table

ROOT = Path(__file__).parents[2]


def test_names_and_ids_are_unique() -> None:
    names = [checkpoint.name.casefold() for checkpoint in CATALOGUE]
    ids = [checkpoint.hub_id for checkpoint in CATALOGUE if checkpoint.hub_id]
    assert len(set(names)) == len(names)
    assert len(set(ids)) == len(ids) == 14


def test_the_demo_is_first_and_the_only_one_in_the_package() -> None:
    assert CATALOGUE[0].name == DEMO
    assert [c.name for c in CATALOGUE if c.bundled] == [DEMO]


@pytest.mark.parametrize("name", ["Sa2VA-4B", " sa2va-4b ", "ByteDance/Sa2VA-4B"])
def test_find_ignores_case_and_space(name: str) -> None:
    found = find(name)
    assert found is not None
    assert found.hub_id == "ByteDance/Sa2VA-4B"


def test_find_does_not_guess() -> None:
    assert find("Sa2VA") is None
    assert find("") is None  # the demo has no Hub id, and must not be found by its lack


def test_only_internvl_is_offered_regions() -> None:
    for checkpoint in CATALOGUE:
        internvl = checkpoint.family is Family.INTERNVL
        assert (Capability.REGION in checkpoint.capabilities) == internvl


def test_every_published_checkpoint_runs() -> None:
    assert [c.name for c in CATALOGUE if c.unsupported is not None] == []


def test_what_cannot_run_is_refused_with_its_reason() -> None:
    check_supported(CATALOGUE[0])
    with pytest.raises(CheckpointError, match=r"demo cannot be used: it is too old\. Usable: demo"):
        check_supported(replace(CATALOGUE[0], unsupported="it is too old"))


def test_sa2va_i_is_the_plain_one_with_a_second_decoder() -> None:
    plain, other = find("Sa2VA-26B"), find("Sa2VA-i-26B")
    assert plain is not None and other is not None
    assert (other.hub_id, other.language) == ("kumuji/Sa2VA-i-26B", plain.language)
    assert other.vision == plain.vision
    assert 4e6 < other.parameters - plain.parameters < 5e6


def test_what_runs_can_be_estimated() -> None:
    for checkpoint in CATALOGUE:
        if checkpoint.unsupported is None and not checkpoint.bundled:
            assert checkpoint.language is not None
            assert checkpoint.parameters > 1e9


def test_the_pages_show_the_catalogue() -> None:
    """To write them anew, put what the functions return in its place."""
    assert markdown_table() in (ROOT / "README.md").read_text(encoding="utf-8")
    assert abilities_table() in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_table_tells_what_each_can_do() -> None:
    assert set(COLUMNS) == set(Capability)
    lines = {line.split("`")[1]: line for line in markdown_table().splitlines()[2:]}
    assert len(lines) == len(CATALOGUE)
    assert lines["ByteDance/Sa2VA-26B"].endswith("| yes | yes | yes | yes | yes |")
    assert abilities_table().count("\n") == len(CATALOGUE) + 1
    # image, video, region prompts, grounded captions, chat
    assert lines["ByteDance/Sa2VA-Qwen3-VL-4B"].endswith("| yes | yes | – | yes | yes |")  # noqa: RUF001
