from __future__ import annotations

import pytest
import torch

from napari_sa2va.model.families.internvl_names import naming
from napari_sa2va.model.names import Stored, packed


@pytest.mark.parametrize(("heads_per_group", "groups"), [(3, 2), (1, 4), (4, 1)])
def test_what_is_taken_apart_can_be_packed_again(heads_per_group: int, groups: int) -> None:
    stored = torch.arange((heads_per_group + 2) * groups * 5 * 7).reshape(-1, 7)
    name = naming(heads_per_group, groups)
    places = [name(f"language_model.model.layers.0.self_attn.{p}_proj.weight") for p in "vqk"]
    assert {place.name for place in places} == {
        "language_model.model.layers.0.attention.wqkv.weight"
    }
    pieces = [(place, place.of(stored)) for place in places]
    assert [len(piece) for _, piece in pieces] == [
        5 * groups,
        5 * groups * heads_per_group,
        5 * groups,
    ]
    assert all(place.stored_rows(len(piece)) == len(stored) for place, piece in pieces)
    assert torch.equal(packed(pieces), stored)


def test_a_tensor_stored_as_it_is() -> None:
    tensor = torch.zeros(())
    assert Stored("a").of(tensor) is tensor
    assert packed([(Stored("a"), tensor)]) is tensor
