"""Going on with a tracking run: bit by bit what a run without a stop gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.torch import save_file

from napari_sa2va.errors import Cancelled, InvalidInput, UnreadablePlane
from napari_sa2va.model import Sa2VA, TrackedFrame, TrackState
from napari_sa2va.model.prompts import segmentation_question
from napari_sa2va.samples.scenes import make_clip, render

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

LENGTH = 10


@pytest.fixture(scope="module")
def demo() -> Sa2VA:
    return Sa2VA.from_pretrained("demo", device="cpu")


@pytest.fixture(scope="module")
def clip() -> NDArray[np.uint8]:
    return np.stack([render(scene, t) for t, scene in enumerate(make_clip(10_100_000, LENGTH))])


@pytest.fixture(scope="module")
def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (24, 48, 64, 3), np.uint8)


def given(count: int = 2) -> NDArray[np.bool_]:
    masks = np.zeros((count, 48, 64), bool)
    for number, mask in enumerate(masks):
        mask[4 + 3 * number : 16 + 3 * number, 5 * number : 5 * number + 14] = True
    return masks


def assert_same(ours: Iterable[TrackedFrame], others: Iterable[TrackedFrame]) -> None:
    for one, other in zip(ours, others, strict=True):
        assert one.index == other.index
        assert one.seed == other.seed
        assert one.flags == other.flags, one.index
        for name in ("masks", "logits", "ious", "mean_probabilities", "present"):
            same = np.array_equal(
                getattr(one, name), getattr(other, name), equal_nan=name != "masks"
            )
            assert same, (one.index, name)


def through_a_file(state: TrackState, folder: Path) -> TrackState:
    state.save(folder / "state.safetensors")
    return TrackState.load(folder / "state.safetensors")


def stopped_after(run: Any, frames: int) -> tuple[list[TrackedFrame], TrackState]:
    seen = [next(run) for _ in range(frames)]
    run.close()
    assert run.state is not None
    return seen, run.state


@pytest.mark.parametrize(
    "direction",
    [
        pytest.param("forward", marks=pytest.mark.slow),
        pytest.param("backward", marks=pytest.mark.slow),
        "both",
    ],
)
def test_a_run_stopped_after_any_frame(
    small: Sa2VA, noise: NDArray[np.uint8], direction: Any, tmp_path: Path
) -> None:
    seeds = {11: given(), 13: given()}
    whole = list(small.track_masks(noise, seeds, direction))
    for after in sorted({1, 2, 4, len(whole) // 2 + 1, len(whole) - 2, len(whole)}):
        seen, state = stopped_after(small.track_masks(noise, seeds, direction), after)
        assert len(state.done) == len(seen)
        assert (state.total, state.left) == (len(whole), len(whole) - len(seen))
        going_on = small.resume(noise, through_a_file(state, tmp_path))
        assert_same([*seen, *going_on], whole)
        assert going_on.state is not None
        assert (going_on.state.total, going_on.state.left) == (len(whole), 0)


@pytest.mark.parametrize("after", [2, 6, 8])
def test_a_longer_range_goes_on_from_both_ends(
    small: Sa2VA, noise: NDArray[np.uint8], after: int
) -> None:
    """With either pass unfinished, and with both finished."""
    whole = {f.index: f for f in small.track_masks(noise, {12: given()}, "both")}
    seen, state = stopped_after(
        small.track_masks(noise, {12: given()}, "both", within=(9, 17)), after
    )
    rest = list(small.resume(noise, state, within=(0, 24)))
    order = [frame.index for frame in (*seen, *rest)]
    assert sorted(order) == list(range(24))
    forward = [index for index in order if index >= 12]
    assert forward == sorted(forward)
    assert_same([*seen, *rest], [whole[index] for index in order])


def test_a_range_is_as_a_stack_of_these_frames(small: Sa2VA, noise: NDArray[np.uint8]) -> None:
    within = list(small.track_masks(noise, {12: given()}, "both", within=(10, 20)))
    alone = list(small.track_masks(noise[10:20], {2: given()}, "both"))
    assert [frame.index for frame in within] == [frame.index + 10 for frame in alone]
    for ours, other in zip(within, alone, strict=True):
        assert np.array_equal(ours.logits, other.logits)


@pytest.mark.parametrize(("first", "then"), [("forward", "both"), ("backward", "both")])
def test_the_other_direction_later(
    small: Sa2VA, noise: NDArray[np.uint8], first: Any, then: Any
) -> None:
    both = {f.index: f for f in small.track_masks(noise, {12: given()}, "both")}
    run = small.track_masks(noise, {12: given()}, first)
    seen = list(run)
    assert run.state is not None
    rest = list(small.resume(noise, run.state, direction=then))
    assert len(seen) + len(rest) == 24
    assert_same([*seen, *rest], [both[frame.index] for frame in (*seen, *rest)])


def test_cancelled_in_the_middle_of_a_frame(small: Sa2VA, noise: NDArray[np.uint8]) -> None:
    """Between two groups of objects: nothing of the frame may count."""
    seeds = {0: given(9)}
    whole = list(small.track_masks(noise, seeds))
    follow, calls = small.network.sam2._prepare_memory_conditioned_features, []
    stop = False

    def counted(**how: Any) -> Any:
        nonlocal stop
        calls.append(how["frame_idx"])
        stop = calls.count(17) == 1 and how["frame_idx"] == 17
        return follow(**how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small.network.sam2, "_prepare_memory_conditioned_features", counted)
        run, seen = small.track_masks(noise, seeds, cancelled=lambda: stop), []
        with pytest.raises(Cancelled):
            seen.extend(run)
    assert [frame.index for frame in seen] == list(range(17))
    assert run.state is not None
    assert_same([*seen, *small.resume(noise, run.state)], whole)


class Torn:
    """A stack in which one plane cannot be read."""

    def __init__(self, pixels: NDArray[np.uint8], torn: int, error: Exception) -> None:
        self.pixels, self.torn, self.error = pixels, torn, error

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        if index == self.torn:
            raise self.error
        plane: NDArray[np.uint8] = self.pixels[index]
        return plane


@pytest.mark.parametrize("error", [OSError("lost"), RuntimeError("lost"), KeyError("lost")])
def test_a_plane_that_cannot_be_read(
    small: Sa2VA, noise: NDArray[np.uint8], error: Exception
) -> None:
    run, seen = small.track_masks(Torn(noise, 5, error), {0: given()}), []
    with pytest.raises(UnreadablePlane, match="Plane 5 could not be read") as caught:
        seen.extend(run)
    assert caught.value.index == 5
    assert run.state is not None
    rest = small.resume(noise, run.state)
    assert_same([*seen, *rest], small.track_masks(noise, {0: given()}))


QUESTIONS = [segmentation_question(f"the {what} cell") for what in ("small blue", "small yellow")]


@pytest.mark.parametrize(
    ("method", "check_every", "reseed"),
    [
        ("official", 0, False),
        pytest.param("consistent", 2, False, marks=pytest.mark.slow),
        pytest.param("official", 2, True, marks=pytest.mark.slow),
        ("consistent", 2, True),
    ],
)
def test_a_run_from_words_with_checks(
    demo: Sa2VA,
    clip: NDArray[np.uint8],
    tmp_path: Path,
    method: Any,
    check_every: int,
    reseed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Checks are made to disagree always, so that objects part and re-seeds pile up."""
    monkeypatch.setattr("napari_sa2va.model.checking.SAME_OBJECT", 1.1)
    how = {"method": method, "keys": [4], "direction": "both"}
    checks = {"check_every": check_every, "reseed": reseed}

    def start() -> Any:
        run = demo.track(clip, QUESTIONS, **how, **checks)
        while run.state is None:
            part = next(run)
        assert isinstance(part, TrackedFrame)
        return run, [part]

    run, first = start()
    whole = [*first, *run]
    assert [frame.index for frame in whole] == [*range(4, LENGTH), *range(3, -1, -1)]
    told = {flag for frame in whole for flags in frame.flags for flag in flags}
    assert ("reseeded" in told) == reseed
    assert ("disagrees" in told) == (check_every > 0 and not reseed)
    for more in (2, 7):
        run, first = start()
        seen = [*first, *(next(run) for _ in range(more))]
        assert_same([*seen, *demo.resume(clip, through_a_file(run.state, tmp_path))], whole)


def test_states_of_other_models_are_refused(
    small: Sa2VA, demo: Sa2VA, noise: NDArray[np.uint8]
) -> None:
    _, state = stopped_after(small.track_masks(noise, {0: given()}), 1)
    with pytest.raises(InvalidInput, match="another checkpoint"):
        list(demo.resume(noise, state))


def test_what_cannot_be_gone_on_with(small: Sa2VA, noise: NDArray[np.uint8]) -> None:
    _, state = stopped_after(small.track_masks(noise, {5: given()}, within=(0, 10)), 1)
    with pytest.raises(InvalidInput, match="must hold the frames that the run started from"):
        small.resume(noise, state, within=(6, 10))
    with pytest.raises(InvalidInput, match="within 0 to 8"):
        small.resume(noise[:8], state)
    with pytest.raises(InvalidInput, match="no expression"):
        small.resume(noise, state, check_every=3)
    with pytest.raises(UnreadablePlane, match="24 by 64 pixels, the others 48 by 64"):
        list(small.resume(noise[:, :24], state))


def test_files_that_are_no_states(small: Sa2VA, noise: NDArray[np.uint8], tmp_path: Path) -> None:
    _, state = stopped_after(small.track_masks(noise, {5: given()}), 3)
    path = tmp_path / "new folder" / "state.safetensors"
    state.save(path)
    assert [file.name for file in path.parent.iterdir()] == ["state.safetensors"]
    whole = path.read_bytes()
    for data in (b"", whole[:5], whole[:200], whole[: len(whole) // 2], b"\x80\x04pickle"):
        path.write_bytes(data)
        with pytest.raises(InvalidInput, match="no saved tracking run"):
            TrackState.load(path)
    save_file({}, path, metadata={"kind": "something else"})
    with pytest.raises(InvalidInput, match="no saved tracking run"):
        TrackState.load(path)
    with pytest.raises(InvalidInput, match="cannot be read"):
        TrackState.load(tmp_path / "none")
    path.write_bytes(whole)
    with pytest.raises(InvalidInput, match="could not be written"):
        state.save(path / "below a file")
    assert path.read_bytes() == whole


def test_a_file_holds_a_tensor_once(small: Sa2VA, noise: NDArray[np.uint8], tmp_path: Path) -> None:
    """Both directions remember the same conditioning frames."""
    _, state = stopped_after(small.track_masks(noise, {5: given()}, "both"), 1)
    path = tmp_path / "state.safetensors"
    state.save(path)
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert len(header.keys() - {"__metadata__"}) == 2  # a map and a pointer; the seed is passed
    loaded = TrackState.load(path)
    assert loaded.objects == state.objects
    assert loaded.keys == (5,)
