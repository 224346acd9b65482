"""Tracking beyond the golden runs: directions, masks as seeds, bounded memory, bad input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_sa2va.errors import Cancelled, InvalidInput
from napari_sa2va.model import Found, Sa2VA, TrackedFrame
from napari_sa2va.model import memory as memory_module
from napari_sa2va.model.following import Follower, masks_at_sam_size
from napari_sa2va.model.key_planes import default_keys
from napari_sa2va.model.memory import Memory
from napari_sa2va.model.track_state import places

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = (48, 64)


class Clip:
    """Eight frames made when asked for, with a count of the readings."""

    def __init__(self, length: int = 8) -> None:
        self.pixels = np.random.default_rng(5).integers(0, 256, (length, *SIZE, 3), np.uint8)
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        self.read.append(index)
        frame: NDArray[np.uint8] = self.pixels[index]
        return frame


def seeds() -> NDArray[np.bool_]:
    masks = np.zeros((2, *SIZE), bool)
    masks[0, 10:30, 10:30] = True
    masks[1, 5:20, 40:60] = True
    return masks


def assert_same(ours: TrackedFrame, other: TrackedFrame) -> None:
    assert np.array_equal(ours.masks, other.masks)
    assert np.array_equal(ours.logits, other.logits)
    assert np.array_equal(ours.present, other.present)


def test_backward_is_forward_on_the_reversed_frames(small: Sa2VA) -> None:
    clip = Clip()
    backward = list(small.track_masks(clip.pixels, {7: seeds(), 4: seeds()}, "backward"))
    turned = clip.pixels[::-1]
    forward = list(small.track_masks(turned, {0: seeds(), 3: seeds()}, "forward"))
    assert [frame.index for frame in backward] == list(range(7, -1, -1))
    for ours, other in zip(backward, forward, strict=True):
        assert ours.seed == other.seed
        assert_same(ours, other)


def test_both_ways_share_the_seeds_and_nothing_else(small: Sa2VA) -> None:
    clip = Clip()
    both = list(small.track_masks(clip.pixels, {3: seeds()}, "both"))
    forward = list(small.track_masks(clip.pixels, {3: seeds()}, "forward"))
    backward = list(small.track_masks(clip.pixels, {3: seeds()}, "backward"))
    assert [frame.index for frame in both] == [3, 4, 5, 6, 7, 2, 1, 0]
    for ours, other in zip(both, [*forward, *backward[1:]], strict=True):
        assert_same(ours, other)


def test_a_frame_is_read_and_encoded_once(small: Sa2VA, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, encoded = Clip(), []
    encode = small.network.sam2.encode
    monkeypatch.setattr(small.network.sam2, "encode", lambda x: encoded.append(len(x)) or encode(x))
    for tracked in small.track_masks(clip, {2: seeds()}, "both"):
        assert tracked.masks.shape == (2, *SIZE)
    assert encoded == [1] * 8
    assert sorted(set(clip.read)) == list(range(8))


def test_seeds_come_back_as_given(small: Sa2VA) -> None:
    first = next(iter(small.track_masks(Clip().pixels, {0: seeds()})))
    assert first.seed
    for mask, given in zip(first.masks, seeds(), strict=True):
        assert (mask & given).sum() / (mask | given).sum() > 0.9
    assert first.ious.tolist() == [1, 1]
    assert (first.present > 0.99).all()


def test_an_empty_seed_means_not_there(small: Sa2VA) -> None:
    masks = seeds()
    masks[1] = False
    first = next(iter(small.track_masks(Clip().pixels, {0: masks})))
    assert not first.masks[1].any()
    assert np.isnan(first.mean_probabilities[1])
    assert first.present[1] < 0.01


@pytest.mark.parametrize("scale", [1, 8])
def test_a_seed_thinner_than_sam2_s_pixels_is_followed_all_the_same(
    small: Sa2VA, scale: int
) -> None:
    side = small.config.sam2.image_size
    masks = np.kron(seeds(), np.ones((scale, scale), bool))
    masks[0] = False
    masks[0, 21 * scale, 4 * scale : 40 * scale] = True
    sam2_s = masks_at_sam_size(torch.from_numpy(masks), side)
    assert sam2_s.flatten(1).any(dim=1).all()
    assert torch.equal(sam2_s[1:], masks_at_sam_size(torch.from_numpy(masks[1:]), side))
    first = next(iter(small.track_masks(np.zeros((1, *masks.shape[1:], 3), np.uint8), {0: masks})))
    row, columns = np.nonzero(first.masks[0])
    assert abs(row.mean() / scale - 21) < 4
    assert np.ptp(columns) / scale > 30


def test_objects_tracked_together_are_as_tracked_alone(small: Sa2VA) -> None:
    clip = Clip(5)
    together = list(small.track_masks(clip.pixels, {0: seeds()}))
    alone = list(small.track_masks(clip.pixels, {0: seeds()[1:]}))
    for ours, other in zip(together, alone, strict=True):
        # Memory is rounded to bfloat16, which turns the least difference into a visible one.
        assert np.abs(ours.logits[1] - other.logits[0]).max() < 0.1
        assert (ours.masks[1] != other.masks[0]).mean() < 0.005


def test_memory_does_not_grow_with_the_frames(small: Sa2VA) -> None:
    sam2, side = small.network.sam2, small.config.sam2.image_size
    features = sam2.encode(torch.randn(1, 3, side, side))
    follower = Follower(sam2, consistent=False)
    masks = torch.zeros(1, side, side, dtype=torch.bool)
    masks[:, 10:30, 10:30] = True
    _, seen = follower.condition_on_masks(features, masks)
    memory = Memory({0: seen})
    for index in range(1, 24):
        _, seen = follower.follow(index, features, memory, backward=False)
        memory = memory.after(index, seen)
    assert len([kept for kept in memory.followed.values() if kept.map is not None]) == 6
    assert len(memory.followed) == 15


def test_what_is_forgotten_is_never_looked_at(
    small: Sa2VA, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = np.concatenate([Clip().pixels] * 3)
    forgetful = list(small.track_masks(clip, {0: seeds()}))
    monkeypatch.setattr(memory_module, "_recent", lambda followed, index: dict(followed))
    for ours, other in zip(forgetful, small.track_masks(clip, {0: seeds()}), strict=True):
        assert_same(ours, other)


def test_a_user_chooses_where_to_look(internvl: Sa2VA, cases: Any) -> None:
    case = cases("video_short")
    parts = list(
        internvl.track(case["pixels"], case["text"], keys=[1], direction="both", max_new_tokens=6)
    )
    (found,) = [part for part in parts if isinstance(part, Found)]
    tracked = [part for part in parts if isinstance(part, TrackedFrame)]
    assert found.frames == (1,)
    assert [frame.index for frame in tracked] == [1, 2, 0]
    assert [frame.seed for frame in tracked] == [True, False, False]
    assert all(len(frame.masks) == len(found.objects) for frame in tracked)


def test_cancelling_between_frames(small: Sa2VA) -> None:
    seen: list[int] = []
    with pytest.raises(Cancelled):
        for tracked in small.track_masks(Clip(), {0: seeds()}, cancelled=lambda: len(seen) == 3):
            seen.append(tracked.index)
    assert seen == [0, 1, 2]


def test_bfloat16_tracks(internvl_folder: Any) -> None:
    model = Sa2VA.from_pretrained(internvl_folder, device="cpu", dtype="bfloat16")
    clip = Clip(3)
    for tracked in model.track_masks(clip.pixels, {0: seeds()}):
        assert np.isfinite(tracked.logits).all()
    parts = list(model.track(clip.pixels, "Please segment it.", max_new_tokens=12))
    assert any(isinstance(part, Found) for part in parts)


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        ({}, "none is given"),
        ({9: seeds()}, "among 0 to 7, not 9"),
        ({-1: seeds()}, "among 0 to 7, not -1"),
        ({0: seeds()[:, :-1]}, "masks of frame 0"),
        ({0: seeds().astype(np.uint8)}, "masks of frame 0"),
        ({0: seeds()[:0]}, "masks of frame 0"),
        ({0: seeds(), 1: seeds()[:1]}, "same objects"),
    ],
)
def test_masks_that_do_not_fit_are_refused(small: Sa2VA, masks: dict[int, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        list(small.track_masks(Clip(), masks))


def test_questions_that_cannot_be_tracked_are_refused(small: Sa2VA) -> None:
    with pytest.raises(InvalidInput, match="no frames"):
        list(small.track(Clip(0), "Please segment it."))
    with pytest.raises(InvalidInput, match="original mask decoder"):
        list(small.track(Clip(), "Please segment it.", method="consistent"))
    with pytest.raises(InvalidInput, match="empty"):
        list(small.track(Clip(), " "))


def test_frames_looked_at_by_default() -> None:
    assert default_keys((0, 3), "official") == (0, 1, 2)
    assert default_keys((0, 100), "official") == (0, 1, 2, 3, 4)
    assert default_keys((90, 100), "official") == (90, 91, 92, 93, 94)
    assert default_keys((0, 12), "consistent") == (0, 2, 5, 8, 11)
    assert default_keys((7, 19), "consistent") == (7, 9, 12, 15, 18)
    assert default_keys((0, 3), "consistent") == (0, 1, 2)
    assert default_keys((4, 5), "consistent") == (4,)


def test_where_the_directions_start() -> None:
    assert places(1, 3, "forward") == places(1, 3, "both") == (1, 0)
    assert places(1, 3, "backward") == (4, 3)


def test_more_objects_than_go_through_at_once(small: Sa2VA) -> None:
    """Groups share a frame's features, and each object is as tracked in another group."""
    clip, masks = Clip(5), np.zeros((10, *SIZE), bool)
    for number, mask in enumerate(masks):
        mask[3 * number : 3 * number + 12, 4 * number : 4 * number + 15] = True
    many = list(small.track_masks(clip, {0: masks}))
    few = list(small.track_masks(clip.pixels, {0: masks[8:]}))
    assert sorted(clip.read) == [0, 0, 1, 2, 3, 4]  # the seed is read to check its masks, too
    for ours, other in zip(many, few, strict=True):
        assert ours.masks.shape == (10, *SIZE)
        assert np.array_equal(ours.logits[8:], other.logits)
        assert len(ours.flags) == 10


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_a_stack_of_one_plane(small: Sa2VA, direction: Any) -> None:
    (frame,) = small.track_masks(Clip(1), {0: seeds()}, direction)
    assert frame.seed
    parts = list(small.track(Clip(1), "Please segment it.", max_new_tokens=12))
    assert isinstance(parts[-1], Found | TrackedFrame)


@pytest.mark.parametrize(
    ("within", "keys", "words"),
    [
        ((0, 9), None, "within 0 to 8"),
        ((-1, 4), None, "within 0 to 8"),
        ((4, 4), None, "hold a frame"),
        ((5, 3), None, "hold a frame"),
        ((2, 6), [6], "among 2 to 5, not 6"),
        ((2, 6), [1], "among 2 to 5, not 1"),
        ((2, 6), [], "none is given"),
    ],
)
def test_ranges_that_do_not_fit(small: Sa2VA, within: Any, keys: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        list(small.track(Clip(), "Please segment it.", keys=keys, within=within))
    if keys is not None:
        with pytest.raises(InvalidInput, match=words):
            list(small.track_masks(Clip(), {key: seeds() for key in keys}, within=within))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((40, 64, 3), np.uint8), "Plane 2 .* 40 by 64 pixels, the others 48 by 64"),
        (np.zeros((0, 64, 3), np.uint8), "must be RGB"),
        (np.zeros((48, 64), np.uint8), "must be RGB"),
        ("text", "must be a numpy array"),
    ],
)
def test_frames_that_do_not_fit_the_others(small: Sa2VA, wrong: Any, words: str) -> None:
    frames = [*Clip(2).pixels, wrong, *Clip(2).pixels]
    seen = []
    with pytest.raises(InvalidInput, match=words):
        seen.extend(small.track_masks(frames, {0: seeds()}))
    assert [frame.index for frame in seen] == [0, 1]
    with pytest.raises(InvalidInput):
        list(small.track(frames, "Please segment it.", keys=[0, 2]))
