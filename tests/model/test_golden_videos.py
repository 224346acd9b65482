"""The official code's and Sa2VA-i's tracking, reproduced in float32 on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import golden
import numpy as np
import pytest

from napari_sa2va.model import Found, Sa2VA, TrackedFrame

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def sa2va_i(tmp_path_factory: pytest.TempPathFactory) -> Sa2VA:
    folder: Path = golden.write_checkpoint("sa2va_i", tmp_path_factory.mktemp("sa2va_i"))
    return Sa2VA.from_pretrained(folder, device="cpu", dtype="float32")


def assert_golden(model: Sa2VA, case: dict[str, Any], method: Any) -> None:
    parts = list(model.track(case["pixels"], case["text"], method=method, max_new_tokens=16))
    (found,) = [part for part in parts if isinstance(part, Found)]
    tracked = [part for part in parts if isinstance(part, TrackedFrame)]
    assert list(found.answer.tokens) == case["generated_ids"].tolist()
    assert len(found.objects) == case["segments"]
    assert found.frames == tuple(case.get("sampled_frames", range(min(5, len(case["pixels"])))))
    assert [frame.index for frame in tracked] == list(range(len(case["pixels"])))
    masks = np.stack([frame.masks for frame in tracked], axis=1)
    side = model.config.sam2.image_size
    for number, mask in enumerate(masks):
        differing = mask != golden.golden_mask(case, number)
        assert differing.mean() <= golden.MASK_PIXELS, number
        if f"seg{number}_mask_logits" not in case:
            continue
        stored = case[f"seg{number}_mask_logits"].astype(np.float32)
        for index, logits in zip(case[f"seg{number}_logit_frames"], stored, strict=True):
            ours = golden.at_sam_size(tracked[index].logits[number], side)
            assert np.abs(ours - logits).max() < golden.LOGITS, (number, index)


@pytest.mark.parametrize("name", ["video", "video_short"])
def test_the_official_way(internvl: Sa2VA, cases: Any, name: str) -> None:
    assert_golden(internvl, cases(name), None)


@pytest.mark.parametrize("name", ["video", "video_short"])
def test_the_consistent_way(sa2va_i: Sa2VA, cases: Any, name: str) -> None:
    assert sa2va_i.capabilities.consistent_tracking
    assert_golden(sa2va_i, cases(name, "sa2va_i"), "consistent")
