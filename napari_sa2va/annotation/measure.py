"""What code measures on the pixels of objects, beside what a model says of them.

Regions of one plane are found by scikit-image; what an object has in several planes is added up,
so that no more than a plane is in memory.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.io.export.space import Space

    Box = tuple[slice, slice]
    PlaneIndex = tuple[int | None, ...]

_SPATIAL: Final = ("z", "y", "x")


@dataclass(frozen=True, slots=True)
class Intensity:
    """How bright an object is in one channel, in the image's own numbers.

    Attributes
    ----------
    channel : str
        Its name.
    mean, lowest, highest : float
        Over its pixels in all planes; what is not finite does not count, and without any finite
        pixel all are nan.
    """

    channel: str
    mean: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One object, measured.

    Attributes
    ----------
    label : int
    pixels, planes : int
        In all, and in how many planes.
    area : float
        In µm²; in several planes the mean over those where it is. nan where the size of a pixel
        is not known.
    volume : float
        In µm³; at several time points the mean over those where it is. nan without a depth, or
        where the size of a voxel is not known.
    index : tuple of float
        Its centroid along the array's axes, in pixels from the centre of the first.
    centroid : tuple of float
        The same in the units of the space.
    first, last : tuple of int or None
        Its first and its last plane: a position on each axis, None on the two of the plane.
    intensities : tuple of Intensity
        One a channel.
    """

    label: int
    pixels: int
    planes: int
    area: float
    volume: float
    index: tuple[float, ...]
    centroid: tuple[float, ...]
    first: PlaneIndex
    last: PlaneIndex
    intensities: tuple[Intensity, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One label in one plane.

    Attributes
    ----------
    label, pixels : int
    row, column : float
        Of its centroid.
    box : (slice, slice)
        Rows and columns.
    values : tuple of 1-D arrays
        The numbers of its pixels, one array a channel.
    """

    label: int
    pixels: int
    row: float
    column: float
    box: Box
    values: tuple[NDArray[Any], ...] = ()

    def intensities(self, channels: Sequence[str]) -> tuple[Intensity, ...]:
        """Return how bright it is in this plane."""
        sums = (_Channel().taking(values) for values in self.values)
        return tuple(one.result(name) for name, one in zip(channels, sums, strict=True))


def regions_in(
    plane: NDArray[np.integer[Any]],
    images: Sequence[NDArray[Any]] = (),
    corner: tuple[int, int] = (0, 0),
) -> Iterator[Region]:
    """Go through the labels of a plane in their order, however large the numbers are.

    Parameters
    ----------
    plane : (rows, columns) array of integers
        0 is background.
    images : sequence of (rows, columns) arrays
        One a channel, of any number type.
    corner : (int, int)
        Row and column of its first pixel, where it is a part of a larger plane.
    """
    from skimage.measure import regionprops

    numbers, dense = _dense(plane)
    for found in regionprops(dense):  # type: ignore[no-untyped-call]
        rows, columns = (_moved(side, by) for side, by in zip(found.slice, corner, strict=True))
        inside = found.image
        # Its own `area` and `centroid` are these numbers at thrice the time.
        down, right = inside.nonzero()
        yield Region(
            int(numbers[found.label - 1]),
            len(down),
            float(down.mean()) + rows.start,
            float(right.mean()) + columns.start,
            (rows, columns),
            tuple(image[found.slice][inside] for image in images),
        )


class Tally:
    """Adds up regions of objects over planes.

    Parameters
    ----------
    space : Space
        Of the label array.
    channels : sequence of str
        Names of the images' channels.
    """

    def __init__(self, space: Space, channels: Sequence[str] = ()) -> None:
        self._space = space
        self._channels = tuple(channels)
        self._sums: dict[int, _Sum] = {}
        self._extents: dict[tuple[int, ...], float] = {}
        depth = [space.axes.index(axis) for axis in _SPATIAL if axis in space.axes]
        self._voxel = space.extent(depth) if len(depth) == len(_SPATIAL) else math.nan

    def add(self, plane: PlaneIndex, region: Region) -> None:
        """Take in a region of a plane.

        Parameters
        ----------
        plane : tuple
            A position on each axis of the array, None on the two of the plane.
        region : Region
            Its values are of the channels.
        """
        known = self._sums.get(region.label)
        if known is None:
            known = self._sums[region.label] = _Sum(
                np.zeros(len(plane)), [_Channel() for _ in self._channels]
            )
        known.add(plane, region, self._time_points(plane))

    def results(self) -> dict[int, Measured]:
        """Return what was measured, by label."""
        return {label: self._measured(label, self._sums[label]) for label in sorted(self._sums)}

    def _time_points(self, plane: PlaneIndex) -> tuple[int, ...]:
        """Return the position on all axes but those of space: planes can be seen from the side."""
        axes = self._space.axes
        return tuple(
            at
            for axis, at in zip(axes, plane, strict=True)
            if at is not None and axis not in _SPATIAL
        )

    def _measured(self, label: int, found: _Sum) -> Measured:
        space = self._space
        index = found.weighted / found.pixels
        if found.axes not in self._extents:  # of a hundred thousand objects it is the same
            self._extents[found.axes] = space.extent(found.axes)
        return Measured(
            label=label,
            pixels=found.pixels,
            planes=found.planes,
            area=found.pixels / found.planes * self._extents[found.axes],
            volume=found.pixels / len(found.time_points) * self._voxel,
            index=tuple(map(float, index)),
            centroid=tuple(map(float, (space.matrix @ [*index, 1.0])[:-1])),
            first=found.first,
            last=found.last,
            intensities=tuple(
                one.result(name) for name, one in zip(self._channels, found.channels, strict=True)
            ),
        )


def channel_names(names: Sequence[str], rgb: Sequence[bool]) -> tuple[str, ...]:
    """Return a name for each channel of some images: colour images have three.

    Examples
    --------
    >>> channel_names(["DAPI", "photo"], [False, True])
    ('DAPI', 'photo red', 'photo green', 'photo blue')
    >>> channel_names(["photo"], [True])
    ('red', 'green', 'blue')
    """
    found: list[str] = []
    for name, colours in zip(names, rgb, strict=True):
        before = f"{name} " if len(names) > 1 else ""
        found += [f"{before}{colour}" for colour in ("red", "green", "blue")] if colours else [name]
    for place, name in enumerate(found):  # columns of tables need names of their own
        if name in found[:place]:
            found[place] = next(
                new for n in itertools.count(2) if (new := f"{name} {n}") not in found
            )
    return tuple(found)


def channels_of(part: NDArray[Any], *, rgb: bool) -> list[NDArray[Any]]:
    """Return the channels of a part of an image: three colours, without the opacity, or itself."""
    return [part[..., n] for n in range(3)] if rgb else [part]


# --- adding up


@dataclass(slots=True)
class _Channel:
    count: int = 0
    total: float = 0.0
    lowest: float = math.inf
    highest: float = -math.inf

    def taking(self, values: NDArray[Any]) -> _Channel:
        """Take in numbers; return itself."""
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if values.size:
            self.count += int(values.size)
            self.total += float(values.sum(dtype=np.float64))
            self.lowest = min(self.lowest, float(values.min()))
            self.highest = max(self.highest, float(values.max()))
        return self

    def result(self, name: str) -> Intensity:
        if not self.count:
            return Intensity(name, math.nan, math.nan, math.nan)
        return Intensity(name, self.total / self.count, self.lowest, self.highest)


@dataclass(slots=True)
class _Sum:
    """What the planes of an object add up to."""

    weighted: NDArray[np.float64]
    channels: list[_Channel]
    pixels: int = 0
    planes: int = 0
    time_points: set[tuple[int, ...]] = field(default_factory=set)
    axes: tuple[int, ...] = ()
    first: PlaneIndex = ()
    last: PlaneIndex = ()

    def add(self, plane: PlaneIndex, region: Region, time_point: tuple[int, ...]) -> None:
        inside = iter((region.row, region.column))
        centre = [next(inside) if at is None else at for at in plane]
        self.weighted += np.asarray(centre, float) * region.pixels
        self.pixels += region.pixels
        self.planes += 1
        self.time_points.add(time_point)
        self.axes = tuple(axis for axis, at in enumerate(plane) if at is None)
        self.first = self.first or plane
        self.last = plane
        for channel, values in zip(self.channels, region.values, strict=True):
            channel.taking(values)


def _dense(plane: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the numbers of a plane, and the plane with them counted from 1.

    scikit-image makes an entry for each number up to the largest, which can be billions.
    """
    numbers = np.unique(plane)
    numbers = numbers[numbers > 0]
    dense = np.zeros(plane.shape, np.int64)
    there = plane > 0
    dense[there] = np.searchsorted(numbers, plane[there]) + 1
    return numbers, dense


def _moved(side: slice, by: int) -> slice:
    return slice(side.start + by, side.stop + by)
