"""A contact sheet of the drawn world, and what all sheets of pictures are put together by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from napari_sa2va.samples.world.drawing import render
from napari_sa2va.samples.world.motion import make_clip, make_z_stack
from napari_sa2va.samples.world.scenes import make_scene
from napari_sa2va.training.measure_clips import CLIP_SEED
from napari_sa2va.training.measure_scenes import SCENE_SEED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SIDE: Final = 130
COLUMNS: Final = 7
FRAMES: Final = 24
_LINE: Final = 14
_MOST_LETTERS: Final = 22


def compose(
    rows: Sequence[Sequence[tuple[NDArray[np.uint8], str]]], lines: int, picture: Path
) -> None:
    """Put pictures into the rows of one PNG, with a caption of so many lines under each."""
    height = SIDE + lines * _LINE
    sheet = Image.new("RGB", (COLUMNS * SIDE, len(rows) * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for y, row in enumerate(rows):
        for x, (pixels, caption) in enumerate(row):
            image = Image.fromarray(pixels)
            image.thumbnail((SIDE - 4, SIDE - 4))
            left, top = (SIDE - image.width) // 2, (SIDE - image.height) // 2
            sheet.paste(image, (x * SIDE + left, y * height + top))
            if lines:
                at = (x * SIDE + 2, y * height + SIDE - 2)
                pen.multiline_text(at, caption, fill="black", font=font, spacing=1)
    # The lowest bits are noise, and most of what a PNG weighs.
    sheet.point(lambda value: value & 0xF8).save(picture, optimize=True)


def wrapped(text: str) -> str:
    """Break a text into lines that fit under a picture."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= _MOST_LETTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def draw_world(picture: Path) -> None:
    """Draw held-out scenes in rows, then a clip of each kind and a z-stack, frame by frame."""
    drawn = [render(make_scene(SCENE_SEED + number)) for number in range(3 * COLUMNS)]
    rows = [drawn[i : i + COLUMNS] for i in range(0, len(drawn), COLUMNS)]
    shown = np.linspace(0, FRAMES - 1, COLUMNS).astype(int).tolist()
    for number, kind in enumerate(("cross", "leave")):
        clip = make_clip(CLIP_SEED + number, FRAMES, (256, 256), kind)
        rows.append(list(clip.images(shown)))
    rows.append(list(make_z_stack(CLIP_SEED + 2, FRAMES, (256, 256)).images(shown)))
    compose([[(pixels, "") for pixels in row] for row in rows], 0, picture)
