"""Frame sources: what the model looks at, one RGB plane at a time, read when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.orientation import Orientation
from napari_sa2va.frames.region import Region
from napari_sa2va.frames.render import check_dtype, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sa2va.frames.render import Channel

PlaneIndex: TypeAlias = tuple[int | None, ...]
"""A position on every axis but two: those of the plane hold None. A colour axis is not counted."""


class FrameSource(Protocol):
    """A sequence of RGB planes of one size."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of every frame, as the model sees it."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> NDArray[np.uint8]:
        """Return one frame, (height, width, 3)."""
        ...


class ArrayLike(Protocol):
    """What is asked of an array: numpy, dask, zarr, h5py and their like all have it."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102

    @property
    def dtype(self) -> Any: ...  # noqa: D102

    @property
    def ndim(self) -> int: ...  # noqa: D102

    @property
    def size(self) -> int: ...  # noqa: D102

    def __getitem__(self, index: Any, /) -> Any: ...


@dataclass(frozen=True, slots=True, eq=False)
class ArrayFrames:
    """Planes of one or more arrays with the same axes, one array per channel.

    A snapshot: it keeps the arrays themselves, but nothing that a user could turn meanwhile.

    Parameters
    ----------
    arrays : sequence of array-likes
        One per channel, of equal shape; with a last axis of 3 or 4 colour components where ``rgb``.
    channels : sequence of Channel
        How each array becomes colour.
    planes : sequence of PlaneIndex
        Where each frame is; all with the same two plane axes.
    region : Region, optional
        The part of each plane to look at; the whole plane if left out.
    orientation : Orientation
        How the plane lies on the screen.
    rgb : sequence of bool, optional
        Which arrays hold colour components; none if left out.

    Raises
    ------
    InvalidInput
        Arrays that cannot be drawn together, or an index outside them.
    """

    arrays: Sequence[ArrayLike]
    channels: Sequence[Channel]
    planes: Sequence[PlaneIndex]
    region: Region | None = None
    orientation: Orientation = field(default_factory=Orientation)
    rgb: Sequence[bool] = ()

    def __post_init__(self) -> None:
        rgb = tuple(self.rgb) or (False,) * len(self.arrays)
        if not self.arrays or not len(self.arrays) == len(self.channels) == len(rgb):
            raise InvalidInput("There must be as many arrays as channels, and at least one.")
        if not self.planes:
            raise InvalidInput("There is no plane to look at.")
        shapes = {_grid(array, colour) for array, colour in zip(self.arrays, rgb, strict=True)}
        if len(shapes) > 1:
            raise InvalidInput(
                "The channels are not of one size: choose channels of the same image, or one alone."
            )
        (grid,) = shapes
        for array in self.arrays:
            check_dtype(np.dtype(array.dtype))
        for plane in self.planes:
            _check_index(plane, grid)
        rows, columns = (i for i, at in enumerate(self.planes[0]) if at is None)
        plane_shape = grid[rows], grid[columns]
        region = self.region or Region.whole(plane_shape)
        if not region.is_within(plane_shape):
            raise InvalidInput("The region to look at reaches beyond the image; clip it first.")
        object.__setattr__(self, "region", region)
        object.__setattr__(self, "rgb", rgb)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of every frame, as shown."""
        assert self.region is not None  # set by __post_init__
        return self.orientation.shape_on_screen(self.region.shape)

    def __len__(self) -> int:
        return len(self.planes)

    def __getitem__(self, index: int, /) -> NDArray[np.uint8]:
        """Read, render and turn one frame: (height, width, 3)."""
        where = self._slicing(self.planes[index])
        planes = [np.asarray(array[where]) for array in self.arrays]
        return np.ascontiguousarray(self.orientation.to_screen(render(planes, self.channels)))

    def _slicing(self, plane: PlaneIndex) -> tuple[int | slice, ...]:
        """Index that reads only the region of one plane; a colour axis is read whole."""
        assert self.region is not None  # set by __post_init__
        sides = iter(self.region.slices)
        return tuple(next(sides) if at is None else at for at in plane)


@dataclass(frozen=True, slots=True, eq=False)
class ImageFrames:
    """One RGB image that is already in memory.

    Parameters
    ----------
    image : (height, width, 3) uint8 array
        As the model shall see it.
    """

    image: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise InvalidInput(
                f"An RGB image of type uint8 and shape (height, width, 3) is needed, not "
                f"{self.image.dtype} of shape {self.image.shape}."
            )
        if self.image.size == 0:
            raise InvalidInput("The image has no pixels.")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.image.shape[:2]
        return height, width

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int, /) -> NDArray[np.uint8]:
        """Return the image; any other index than 0 (or -1) does not exist."""
        if index not in (0, -1):
            raise IndexError(f"there is one frame, not {index}")
        return self.image


def _grid(array: ArrayLike, rgb: bool) -> tuple[int, ...]:
    """Shape without the colour axis."""
    shape = tuple(int(length) for length in array.shape)
    if rgb and (len(shape) < 3 or shape[-1] not in (3, 4)):
        raise InvalidInput(f"An array of shape {shape} has no colour axis of 3 or 4 components.")
    grid = shape[:-1] if rgb else shape
    if len(grid) < 2:
        raise InvalidInput(
            f"Data of shape {shape} has no two-dimensional plane to look at: an image with rows "
            "and columns is needed."
        )
    if 0 in grid:
        raise InvalidInput("The image has no pixels.")
    return grid


def _check_index(plane: PlaneIndex, grid: tuple[int, ...]) -> None:
    if len(plane) != len(grid) or sum(at is None for at in plane) != 2:
        raise InvalidInput(
            f"An image with {len(grid)} axes needs a position on all of them but the two of its "
            "plane."
        )
    for at, length in zip(plane, grid, strict=True):
        if at is not None and not 0 <= at < length:
            raise InvalidInput(f"There is no plane {at} on an axis with planes 0 to {length - 1}.")
