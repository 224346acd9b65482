"""What a checkpoint can do, known before it is loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from napari_sa2va.zoo.abilities import Known, look_up, who_can, why_not
from napari_sa2va.zoo.catalogue import CATALOGUE, Capability
from napari_sa2va.zoo.manager import add_model
from napari_sa2va.zoo.sam2 import SAM2_FILE, SAM2_HUB_ID, lacks_decoder, sam2_file_for
from tests.zoo.conftest import write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = frozenset(Capability)


@pytest.mark.parametrize(
    ("name", "here", "can"),
    [
        ("demo", True, EVERYTHING),
        ("ByteDance/Sa2VA-4B", False, EVERYTHING),
        ("Sa2VA-Qwen3-VL-4B", False, EVERYTHING - {Capability.REGION}),
        ("someone/else", False, None),
        ("no such thing", False, None),
    ],
)
def test_by_name(
    private_cache: Path, name: str, here: bool, can: frozenset[Capability] | None
) -> None:
    known = look_up(name)
    assert (known.name, known.here, known.can) == (name, here, can)


def test_one_s_own_can_do_what_its_family_can(private_cache: Path, golden: Any) -> None:
    folders = {
        family: golden.copy_settings(family, private_cache.parent / family)
        for family in ("internvl", "qwen2_5_vl", "qwen3_vl")
    }
    assert look_up(str(folders["internvl"])).can == EVERYTHING
    for family in ("qwen2_5_vl", "qwen3_vl"):
        known = look_up(str(folders[family]))
        assert known.lacks(Capability.REGION)
        assert not known.lacks(Capability.ASK)
    (folders["internvl"] / "config.json").write_text("{}", encoding="utf-8")
    assert look_up(str(folders["internvl"])).can is None


def test_a_name_of_one_s_own_is_what_it_stands_for(private_cache: Path) -> None:
    add_model("theirs", "ByteDance/Sa2VA-Qwen3-VL-4B")
    assert look_up("theirs").lacks(Capability.REGION)


def test_nothing_is_held_against_the_unknown() -> None:
    assert not any(Known("x", False).lacks(one) for one in Capability)


def test_it_is_said_which_can() -> None:
    regions = why_not("Mine", Capability.REGION)
    assert regions.startswith("Mine takes no regions: each is outlined")
    assert "These take regions: Sa2VA-1B, " in regions
    able = [one for one in CATALOGUE if Capability.REGION in one.capabilities]
    assert who_can(Capability.REGION).endswith(f"and {len(able) - 3} more")
    assert "Qwen" not in who_can(Capability.REGION)
    for one in Capability:
        assert why_not("Mine", one).startswith("Mine ")


# --- SAM 2.0's file


def fetched_sam2(cache: Path) -> Path:
    """Put a file where huggingface_hub would have."""
    commit = "a" * 40
    repository = cache / f"models--{SAM2_HUB_ID.replace('/', '--')}"
    file = repository / "snapshots" / commit / SAM2_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit, encoding="utf-8")
    return file


def test_the_fetched_file_is_taken_where_it_is_needed(private_cache: Path) -> None:
    assert sam2_file_for("Sa2VA-4B") is None
    file = fetched_sam2(private_cache)
    assert sam2_file_for("Sa2VA-4B") == look_up("Sa2VA-4B").sam2_file == file
    assert sam2_file_for("Sa2VA-i-4B") is None
    assert sam2_file_for("demo") is None
    assert sam2_file_for("someone/else") == file


def test_weights_tell_whether_the_decoder_is_there(private_cache: Path, golden: Any) -> None:
    assert lacks_decoder(str(golden.write_checkpoint("internvl", private_cache / "plain")))
    assert not lacks_decoder(str(golden.write_checkpoint("sa2va_i", private_cache / "both")))


def test_a_decoder_of_another_size_is_not_offered_the_file(private_cache: Path) -> None:
    folder = write_checkpoint(private_cache / "small")
    assert lacks_decoder(str(folder))
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    said["sam2"]["d_model"] = 128
    (folder / "config.json").write_text(json.dumps(said), encoding="utf-8")
    assert not lacks_decoder(str(folder))
