from __future__ import annotations

import pytest

from napari_sa2va.zoo.catalogue import CATALOGUE, DEMO, Capability, Family, find


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


def test_sa2va_i_runs_where_its_language_model_does() -> None:
    runs = {c.name for c in CATALOGUE if "Sa2VA-i" in c.name and c.unsupported is None}
    assert runs == {"Sa2VA-i-1B", "Sa2VA-i-4B"}


def test_what_runs_can_be_estimated() -> None:
    for checkpoint in CATALOGUE:
        if checkpoint.unsupported is None and not checkpoint.bundled:
            assert checkpoint.language is not None
            assert checkpoint.parameters > 1e9
