"""One plane of many that cannot be read is named, and what is not its fault passes through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_sa2va.errors import Cancelled, InvalidInput, UnreadablePlane
from napari_sa2va.frames import ArrayFrames, Channel, read_frame, read_single_frame


class Lazy:
    """Planes made when asked for; those in `faults` raise instead, or come in another shape."""

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, faults: dict[int, Any], shape: tuple[int, ...] = (5, 6, 7)) -> None:
        self.faults = faults
        self.shape = shape
        self.size = int(np.prod(shape))

    def __getitem__(self, index: Any) -> Any:
        plane, *inner = index
        fault = self.faults.get(plane, self.shape[1:])
        if isinstance(fault, BaseException):
            raise fault
        return np.full(fault, plane, np.uint8)[tuple(inner)]


def stack(faults: dict[int, Any]) -> ArrayFrames:
    array = Lazy(faults)
    return ArrayFrames((array,), (Channel((0, 255)),), [(i, None, None) for i in range(5)])


def test_good_planes_round_a_bad_one_are_read() -> None:
    frames = stack({3: OSError("the share is gone.")})
    for index in (2, 4):
        assert read_frame(frames, index).shape == (6, 7, 3)
        assert (read_frame(frames, index) == index).all()
    with pytest.raises(
        UnreadablePlane, match=r"Plane 3 could not be read: the share is gone\. Check"
    ) as caught:
        read_frame(frames, 3)
    assert caught.value.index == 3
    assert isinstance(caught.value, InvalidInput)
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize(
    "fault", [RuntimeError("x"), ValueError("x"), KeyError("x"), InvalidInput("x"), IndexError("x")]
)
def test_whatever_a_lazy_array_raises_names_the_plane(fault: Exception) -> None:
    with pytest.raises(UnreadablePlane, match=r"Plane 1 .*x"):
        read_frame(stack({1: fault}), 1)


def only(fault: Any, plane: int = 3) -> ArrayFrames:
    """Plane 3 of a stack, alone."""
    return ArrayFrames((Lazy({3: fault}),), (Channel((0, 255)),), [(plane, None, None)])


def test_the_only_plane_has_no_number() -> None:
    assert (read_single_frame(only(OSError(), plane=2)) == 2).all()
    with pytest.raises(InvalidInput, match="nothing to see") as caught:
        read_single_frame(only(InvalidInput("There is nothing to see here.")))
    assert str(caught.value) == "There is nothing to see here."
    faults = {"gone": OSError("the share is gone."), "3 by 7": (3, 7), "EOFError": EOFError()}
    for words, fault in faults.items():
        with pytest.raises(InvalidInput, match=f"The plane could not be read: .*{words}") as caught:
            read_single_frame(only(fault))
        assert "range" not in str(caught.value)


def test_an_error_without_words_is_named_by_its_kind() -> None:
    with pytest.raises(UnreadablePlane, match="EOFError"):
        read_frame(stack({0: EOFError()}), 0)


@pytest.mark.parametrize("fault", [MemoryError(), Cancelled("Cancelled."), KeyboardInterrupt()])
def test_what_is_no_fault_of_the_plane_passes_through(fault: BaseException) -> None:
    with pytest.raises(type(fault)):
        read_frame(stack({1: fault}), 1)


@pytest.mark.parametrize(
    ("shape", "words"), [((0, 7), "no pixels"), ((6, 0), "no pixels"), ((3, 7), "3 by 7 pixels")]
)
def test_a_plane_of_another_size_is_refused(shape: tuple[int, int], words: str) -> None:
    with pytest.raises(UnreadablePlane, match=words) as caught:
        read_frame(stack({2: shape}), 2)
    assert caught.value.index == 2


@pytest.mark.parametrize("index", [-1, 5])
def test_a_frame_that_is_not_there_is_a_mistake_of_ours(index: int) -> None:
    with pytest.raises(IndexError):
        read_frame(stack({}), index)


@pytest.mark.parametrize("shape", [(5, 0, 7), (5, 6, 0)])
def test_stacks_without_pixels_are_refused_at_once(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="no pixels"):
        ArrayFrames((Lazy({}, shape),), (Channel((0, 255)),), [(0, None, None)])
