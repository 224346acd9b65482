"""Axes, steps and units of a label array, in one form whatever they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LENGTH: Final = "micrometer"
TIME: Final = "second"
PIXEL: Final = "pixel"
_USUAL: Final = ("t", "c", "z", "y", "x")
_LONG_NAMES: Final = {"time": "t", "frame": "t", "depth": "z", "slice": "z", "channel": "c"}


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Where the pixels of an array are.

    Attributes
    ----------
    axes : tuple of str
        ``t``, ``c``, ``z``, ``y`` and ``x`` where they are known; the last two are rows and
        columns.
    units : tuple of str
        ``"micrometer"``, ``"second"`` or ``"pixel"``, one an axis.
    matrix : (D + 1, D + 1) array
        From indices to these units.
    """

    axes: tuple[str, ...]
    units: tuple[str, ...]
    matrix: NDArray[np.float64]

    @property
    def scale(self) -> tuple[float, ...]:
        """Length of a step along each axis, in its unit."""
        return tuple(float(step) for step in np.linalg.norm(self.matrix[:-1, :-1], axis=0))

    @property
    def origin(self) -> tuple[float, ...]:
        """Where the first pixel's centre is."""
        return tuple(float(at) for at in self.matrix[:-1, -1])

    @property
    def is_upright(self) -> bool:
        """Whether nothing is turned, mirrored or sheared."""
        return bool(np.allclose(self.matrix[:-1, :-1], np.diag(self.scale), rtol=1e-9, atol=0))

    def step(self, axis: str) -> float | None:
        """Return the step along an axis where its unit is known: in micrometres or seconds."""
        if axis not in self.axes or self.units[self.axes.index(axis)] == PIXEL:
            return None
        return self.scale[self.axes.index(axis)]

    @property
    def pixel_size(self) -> tuple[float, float] | None:
        """Height and width of a pixel in micrometres, where both are known."""
        height, width = self.step("y"), self.step("x")
        return None if height is None or width is None else (height, width)

    def without(self, axis: int) -> Space:
        """Return the space of one position along an axis."""
        kept = [place for place in range(len(self.axes)) if place != axis]
        return Space(
            tuple(self.axes[place] for place in kept),
            tuple(self.units[place] for place in kept),
            self.matrix[np.ix_([*kept, -1], [*kept, -1])],
        )

    def extent(self, axes: Sequence[int]) -> float:
        """Return the area or volume of a pixel along some axes, in µm² or µm³; nan if not known.

        That of the parallelogram that they span, not the product of their lengths: sheared pixels
        are smaller than their sides say.
        """
        lengths = [place for place, unit in enumerate(self.units) if unit == LENGTH]
        others = [place for place in range(len(self.units)) if place not in lengths]
        if not set(axes) <= set(lengths) or self.matrix[np.ix_(others, axes)].any():
            return float("nan")
        sides = self.matrix[np.ix_(lengths, axes)]
        return float(np.sqrt(max(np.linalg.det(sides.T @ sides), 0.0)))


def space_of(names: Sequence[str], shown: Mapping[str, Any], ndim: int) -> Space:
    """Take the space from arguments of a napari layer.

    Parameters
    ----------
    names : sequence of str
        Of the axes; empty where they are not known.
    shown : mapping
        ``scale``, ``translate``, ``rotate``, ``shear``, ``affine``, ``units``; each may be missing.
    ndim : int
        Of the array.
    """
    factors, units = zip(*map(_converted, _units(shown, ndim)), strict=True)
    matrix = np.diag([*map(float, factors), 1.0]) @ layer_matrix(shown, ndim)
    return Space(_axes(names, units, ndim), units, matrix)


def layer_matrix(shown: Mapping[str, Any], ndim: int) -> NDArray[np.float64]:
    """Return affine · (rotate · shear · scale, translate), in napari's order."""
    scale = np.asarray(shown.get("scale", np.ones(ndim)), float)
    shear = np.asarray(shown.get("shear", np.eye(ndim)), float)
    if shear.ndim == 1:
        values, shear = shear, np.eye(ndim)
        shear[np.triu_indices(ndim, k=1)] = values
    rotate = np.asarray(shown.get("rotate", np.eye(ndim)), float)
    matrix = np.eye(ndim + 1)
    matrix[:-1, :-1] = rotate @ shear @ np.diag(scale)
    matrix[:-1, -1] = np.asarray(shown.get("translate", np.zeros(ndim)), float)
    affine = np.asarray(shown.get("affine", np.eye(ndim + 1)), float)
    return np.asarray(affine @ matrix)


def layer_arguments(space: Space) -> dict[str, Any]:
    """Return what a napari layer must be given to lie there."""
    scale = np.array(space.scale)
    arguments: dict[str, Any] = {
        "scale": scale.tolist(),
        "units": space.units,
        "axis_labels": space.axes,
    }
    if space.is_upright:
        return arguments | {"translate": list(space.origin)}
    affine = space.matrix.copy()
    affine[:-1, :-1] /= scale
    return arguments | {"affine": affine}


def _units(shown: Mapping[str, Any], ndim: int) -> tuple[str, ...]:
    units = shown.get("units") or (PIXEL,) * ndim
    return tuple(str(unit or PIXEL) for unit in units)


def _converted(unit: str) -> tuple[float, str]:
    """Return the factor to micrometres or seconds, and which of them; else 1 and ``pixel``."""
    import pint

    registry: Any = pint.get_application_registry()  # type: ignore[no-untyped-call]
    try:
        quantity = registry.Quantity(1.0, unit)
    except (pint.errors.PintError, ValueError, TypeError, AttributeError):
        return 1.0, PIXEL
    for wanted in (LENGTH, TIME):
        if quantity.check(registry.Quantity(1, wanted).dimensionality):
            return float(quantity.to(wanted).magnitude), wanted
    return 1.0, PIXEL


def _axes(names: Sequence[str], units: Sequence[str], ndim: int) -> tuple[str, ...]:
    """Name the axes: as they are called; else by their units; else by their place."""
    known = [_LONG_NAMES.get(str(name).lower(), str(name).lower()) for name in names]
    if len(known) == ndim and len(set(known)) == ndim and known[-2:] == ["y", "x"]:
        leading = known[:-2]
        if all(name and not name.startswith("-") for name in leading):
            return tuple(known)
    axes: list[str] = []
    for place, unit in enumerate(units[:-2]):
        guess = {TIME: "t", LENGTH: "z"}.get(unit, "")
        axes.append(guess if guess and guess not in axes else f"axis {place}")
    return (*axes, "y", "x")


def letters(axes: Sequence[str], unnamed: str = "tzc") -> tuple[str, ...] | None:
    """Give each axis one of t, c, z, y and x; None where there are too many.

    Those without a usual name get the letters of `unnamed` that are free, in their order.
    """
    free = [letter for letter in unnamed if letter not in axes]
    found = []
    for axis in axes:
        if axis in _USUAL:
            found.append(axis)
        elif free:
            found.append(free.pop(0))
        else:
            return None
    return tuple(found)
