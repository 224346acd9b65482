"""Draw a contact sheet of the richer world: ``python -m napari_sa2va.training.sheet sheet.png``.

Held-out scenes in rows, then a clip of each kind and a z-stack, frame by frame.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from napari_sa2va.samples.world.drawing import render
from napari_sa2va.samples.world.motion import make_clip, make_z_stack
from napari_sa2va.samples.world.scenes import make_scene
from napari_sa2va.training.measure_clips import CLIP_SEED
from napari_sa2va.training.measure_scenes import SCENE_SEED

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIDE: Final = 130
_COLUMNS: Final = 7
_FRAMES: Final = 24


def draw_sheet(picture: Path, scenes: int = 21) -> None:
    """Draw held-out scenes and clips into one PNG."""
    rows: list[list[NDArray[np.uint8]]] = []
    drawn = [render(make_scene(SCENE_SEED + number)) for number in range(scenes)]
    rows += [drawn[i : i + _COLUMNS] for i in range(0, scenes, _COLUMNS)]
    shown = np.linspace(0, _FRAMES - 1, _COLUMNS).astype(int).tolist()
    for number, kind in enumerate(("cross", "leave")):
        clip = make_clip(CLIP_SEED + number, _FRAMES, (256, 256), kind)
        rows.append(list(clip.images(shown)))
    rows.append(list(make_z_stack(CLIP_SEED + 2, _FRAMES, (256, 256)).images(shown)))
    sheet = Image.new("RGB", (_COLUMNS * _SIDE, len(rows) * _SIDE), "white")
    for y, row in enumerate(rows):
        for x, pixels in enumerate(row):
            image = Image.fromarray(pixels)
            image.thumbnail((_SIDE - 4, _SIDE - 4))
            left, top = (_SIDE - image.width) // 2, (_SIDE - image.height) // 2
            sheet.paste(image, (x * _SIDE + left, y * _SIDE + top))
    # The lowest bits are noise, and most of what a PNG weighs.
    sheet.point(lambda value: value & 0xF8).save(picture, optimize=True)


if __name__ == "__main__":
    draw_sheet(Path(sys.argv[1]))
