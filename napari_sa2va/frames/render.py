"""Planes of numbers to RGB: the same colours as napari's canvas, without napari."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Gray levels as colours: also the identity for the components of an RGB plane.
GRAY: NDArray[np.uint8] = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
GRAY.setflags(write=False)

# Values are spread over 16 bits before gamma: with 256 steps, a gamma below 1 would show bands in
# the dark part.
_STEPS = 65535


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """How the numbers of one channel become colours.

    Parameters
    ----------
    contrast_limits : tuple of float
        The values drawn in the first and the last colour.
    gamma : float
        Exponent on the value between the limits, 0 to 1, before the colour is looked up.
    lut : (256, 3) uint8 array
        Colours from low to high. For an RGB plane: red, green and blue each go through their own
        column, so `GRAY` leaves them alone.
    """

    contrast_limits: tuple[float, float]
    gamma: float = 1.0
    lut: NDArray[np.uint8] = field(default_factory=lambda: GRAY)

    def __post_init__(self) -> None:
        low, high = self.contrast_limits
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise InvalidInput(
                f"Contrast limits must be two numbers, the lower first, not {low} and {high}."
            )
        if not self.gamma > 0:
            raise InvalidInput(f"Gamma must be greater than 0, not {self.gamma}.")
        if self.lut.shape != (256, 3) or self.lut.dtype != np.uint8:
            raise InvalidInput("A channel's colours must be a (256, 3) table of uint8.")


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise InvalidInput unless numbers of ``dtype`` can be drawn: bool, integer or float."""
    if dtype.kind == "c":
        raise InvalidInput(
            "The image holds complex numbers, which have no single brightness. Make an image of "
            "their magnitude or phase, and choose that one."
        )
    if dtype.kind not in "buif":
        raise InvalidInput(
            f"The image holds values of type {dtype}, not numbers. Convert it to an integer or "
            "floating point image."
        )


def render(planes: Sequence[NDArray[Any]], channels: Sequence[Channel]) -> NDArray[np.uint8]:
    """Draw one plane per channel and add up their colours.

    Parameters
    ----------
    planes : sequence of arrays
        Each (rows, columns), or (rows, columns, 3 or 4) for red, green, blue and alpha; bool,
        integer or float. All of one size.
    channels : sequence of Channel
        One for each plane.

    Returns
    -------
    (rows, columns, 3) uint8 array
        Where a value is NaN, or alpha is 0, the black of the canvas shows, as in napari.

    Raises
    ------
    InvalidInput
        Complex numbers, planes of different sizes, or nothing but NaN.

    Notes
    -----
    Contrast limits and gamma apply to RGB planes too: napari's documentation says otherwise, its
    canvas (0.9.2, read back from screenshots) does it. A floating point RGB image therefore shows
    stretched, as its limits are its range on opening.
    """
    if not planes or len(planes) != len(channels):
        raise InvalidInput("There must be as many planes as channels, and at least one.")
    size = planes[0].shape[:2]
    for plane in planes:
        _check_plane(plane, size)
    if all(plane.dtype.kind == "f" and bool(np.isnan(plane).all()) for plane in planes):
        raise InvalidInput(
            "There is nothing to see here: every value is NaN. Move to another plane or region."
        )
    if len(planes) == 1:
        return _draw(planes[0], channels[0])
    total = np.zeros((*size, 3), dtype=np.uint16)
    for plane, channel in zip(planes, channels, strict=True):
        total += _draw(plane, channel)
    return np.minimum(total, 255).astype(np.uint8)


def _check_plane(plane: NDArray[Any], size: tuple[int, ...]) -> None:
    check_dtype(plane.dtype)
    if plane.ndim not in (2, 3) or (plane.ndim == 3 and plane.shape[2] not in (3, 4)):
        raise InvalidInput(
            f"An array of shape {plane.shape} is no image plane: rows and columns are needed, and "
            "at most 3 or 4 colour components."
        )
    if plane.shape[:2] != size:
        raise InvalidInput(
            "The channels are not of one size: choose channels of the same image, or one alone."
        )
    if plane.size == 0:
        raise InvalidInput("The image has no pixels here.")


def _draw(plane: NDArray[Any], channel: Channel) -> NDArray[np.uint8]:
    if plane.ndim == 2:
        steps, table = _look_up(plane, channel)
        # np.take lets other threads run meanwhile; indexing would hold up the window.
        rgb = np.take(table, steps, axis=0)
        if plane.dtype.kind == "f" and (missing := np.isnan(plane)).any():
            # The colour of NaN is transparent in napari's colormaps: the black canvas shows.
            rgb[missing] = 0
        return rgb
    steps, table = _look_up(plane[..., :3], channel)
    rgb = np.stack([np.take(table[:, i], steps[..., i]) for i in range(3)], axis=-1)
    if plane.shape[2] == 4:
        rgb = (rgb * _alpha(plane[..., 3])[..., None] + 0.5).astype(np.uint8)
    return rgb


def _look_up(
    values: NDArray[Any], channel: Channel
) -> tuple[NDArray[np.unsignedinteger[Any]], NDArray[np.uint8]]:
    """Return a step for every value, and the table of colours of all steps, (n, 3)."""
    table = _table(channel)
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        # All there are: cheaper to draw than the pixels, which then need no arithmetic.
        every = np.arange(np.iinfo(values.dtype).max + 1, dtype=values.dtype)
        return values, table[_steps(every, channel.contrast_limits)]
    return _steps(values, channel.contrast_limits), table


def _table(channel: Channel) -> NDArray[np.uint8]:
    """Colours of all steps: gamma, then linear between the colours, as napari's colormaps are."""
    brightness = np.linspace(0, 1, _STEPS + 1) ** channel.gamma * 255
    levels = np.arange(256)
    components = [np.interp(brightness, levels, channel.lut[:, i]) for i in range(3)]
    return (np.stack(components, axis=1) + 0.5).astype(np.uint8)


def _steps(values: NDArray[Any], limits: tuple[float, float]) -> NDArray[np.uint16]:
    """Spread values between the limits over 0 to `_STEPS`; NaN becomes 0."""
    low, high = limits
    # Wide enough for the values' own precision, and never narrower than float32.
    scaled = values.astype(np.result_type(values.dtype, np.float32))
    with np.errstate(over="ignore", invalid="ignore"):
        scaled -= low
        scaled *= _STEPS / (high - low)
        scaled += 0.5
        np.clip(scaled, 0, _STEPS, out=scaled)
    if values.dtype.kind == "f":
        np.nan_to_num(scaled, copy=False, nan=0.0)
    return scaled.astype(np.uint16)


def _alpha(values: NDArray[Any]) -> NDArray[np.float32]:
    """Opacity, 0 to 1: full scale of 8 and 16 bit unsigned integers is 1, as on the graphics card.

    Other numbers are taken as they are, cut to that range.
    """
    alpha = values.astype(np.float32)
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        alpha /= np.iinfo(values.dtype).max
    return np.clip(np.nan_to_num(alpha, nan=0.0), 0, 1)
