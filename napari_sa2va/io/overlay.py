"""A picture for people: the image with each object's outline, a tint and its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.measure import regionprops
from skimage.segmentation import find_boundaries

from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.colours import label_colour

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Box = tuple[float, float, float, float]
    Colour = tuple[int, int, int]

_TINT: Final = 0.3
_SMALLEST_SIDE: Final = 512  # below it the words would cover the objects
_LONGEST_CAPTION: Final = 40


def draw_overlay(
    image: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    captions: Mapping[int, str],
    chosen: Mapping[int, Colour] | None = None,
) -> NDArray[np.uint8]:
    """Draw objects over an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
    labels : ndarray of integers, shape (height, width)
        0 is background.
    captions : mapping of int to str
        What is written beside each label; labels without one get their number alone.
    chosen : mapping of int to (red, green, blue), optional
        Colours that the user chose; the others have those of all our files.

    Returns
    -------
    ndarray of uint8, shape (height · k, width · k, 3)
        k is 1, or the whole number that brings a small image's shorter side to 512 pixels.
    """
    factor = max(1, round(_SMALLEST_SIDE / min(labels.shape)))
    picture = _enlarged(image, factor)
    painted = labels.repeat(factor, axis=0).repeat(factor, axis=1)
    numbers = [int(label) for label in np.unique(painted) if label > 0]

    colours = np.zeros((max(numbers, default=0) + 1, 3), np.float32)
    for label in numbers:
        colours[label] = (chosen or {}).get(label) or label_colour(label)
    inside = painted > 0
    picture[inside] = (1 - _TINT) * picture[inside] + _TINT * colours[painted[inside]]
    outline = _outline(painted, thickness=max(1, min(painted.shape) // 400))
    picture[outline] = colours[painted[outline]]

    drawing = Image.fromarray(picture.round().astype(np.uint8))
    _write_captions(drawing, painted, captions, colours)
    return np.asarray(drawing)


def write_overlay(
    path: Path,
    image: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    captions: Mapping[int, str],
) -> None:
    """Write `draw_overlay`'s picture as PNG, atomically."""
    picture = Image.fromarray(draw_overlay(image, labels, captions))
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG")


def _enlarged(image: NDArray[np.uint8], factor: int) -> NDArray[np.float32]:
    height, width = image.shape[:2]
    bigger = Image.fromarray(image).resize(
        (width * factor, height * factor), Image.Resampling.BICUBIC
    )
    return np.asarray(bigger).astype(np.float32)


def _outline(labels: NDArray[np.integer[Any]], thickness: int) -> NDArray[np.bool_]:
    """Return the rim of the objects, `thickness` pixels wide, inside them."""
    rim: NDArray[np.bool_] = find_boundaries(labels, mode="inner")  # type: ignore[no-untyped-call]
    remaining = np.where(rim, 0, labels)
    for _ in range(thickness - 1):
        rim |= find_boundaries(remaining, mode="inner")  # type: ignore[no-untyped-call]
        remaining = np.where(rim, 0, labels)
    return rim


def _write_captions(
    drawing: Image.Image,
    labels: NDArray[np.integer[Any]],
    captions: Mapping[int, str],
    colours: NDArray[np.float32],
) -> None:
    pen = ImageDraw.Draw(drawing)
    size = max(14, min(drawing.size) // 32)
    font = ImageFont.load_default(size)
    halo = max(2, size // 8)
    taken: list[Box] = []
    for region in regionprops(labels):  # type: ignore[no-untyped-call]
        row, column = region.centroid
        label = int(region.label)
        text = _shortened(f"{label} {captions.get(label, '')}".strip())
        left, top, right, bottom = pen.textbbox((0, 0), text, font=font, stroke_width=halo)
        box = _free_place((column, row), (right - left, bottom - top), drawing.size, taken)
        taken.append(box)
        pen.text(
            (box[0] - left, box[1] - top),
            text,
            font=font,
            fill=_lightened(colours[label]),
            stroke_width=halo,
            stroke_fill=(0, 0, 0),
        )


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_CAPTION else text[: _LONGEST_CAPTION - 1] + "…"


def _free_place(
    centre: tuple[float, float],
    size: tuple[float, float],
    within: tuple[int, int],
    taken: list[Box],
) -> Box:
    """Return the box nearest below or above `centre` that no caption has, inside the picture."""
    width, height = size
    left = min(max(centre[0] - width / 2, 0), max(within[0] - width, 0))
    wanted = centre[1] - height / 2
    best: Box | None = None
    for step in range(2 * len(taken) + 1):
        shift = (step + 1) // 2 * height * (1 if step % 2 else -1)
        top = min(max(wanted + shift, 0), max(within[1] - height, 0))
        box = (left, top, left + width, top + height)
        best = best or box
        if not any(_overlap(box, other) for other in taken):
            return box
    assert best is not None
    return best


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _lightened(colour: NDArray[np.float32]) -> Colour:
    red, green, blue = ((int(channel) + 2 * 255) // 3 for channel in colour)
    return red, green, blue
