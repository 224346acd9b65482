"""What the demo model makes of real images: ``python docs/real_images.py`` draws the picture.

The images are those that scikit-image ships in its wheel.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image
from skimage.segmentation import mark_boundaries

from napari_sa2va.model import Sa2VA
from napari_sa2va.model.prompts import segmentation_question

SIDE = 240
EXPRESSIONS = {
    "cell": ("the cell", "the large round cell", "all cells"),
    "immunohistochemistry": ("all blue cells", "the large cell", "all small cells"),
    "retina": ("the yellow cell", "the large round cell", "the red cell"),
    "microaneurysms": ("all small cells", "the round cell", "the small red cell"),
}


def answered(model: Sa2VA, image: np.ndarray, expression: str) -> tuple[str, np.ndarray]:
    """Ask, and draw the outline of what was found."""
    answer = model.answer(image, segmentation_question(expression))
    mask = np.zeros(image.shape[:2], bool)
    for segment in answer.segments:
        mask |= segment.mask
    small = np.asarray(Image.fromarray(image).resize((SIDE, SIDE)))
    outline = np.asarray(Image.fromarray(mask).resize((SIDE, SIDE)))
    drawn = mark_boundaries(small, outline, color=(1, 1, 0), mode="thick")
    return answer.text, (drawn * 255).astype(np.uint8)


def main() -> None:
    """Ask about every image, print the answers, write the picture."""
    model = Sa2VA.from_pretrained("demo")
    rows = []
    for name, expressions in EXPRESSIONS.items():
        image = getattr(skimage.data, name)()
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=-1)
        row = []
        for expression in expressions:
            text, drawn = answered(model, np.ascontiguousarray(image), expression)
            print(f"{name} | {expression} | {text}")
            row.append(drawn)
        rows.append(np.concatenate(row, axis=1))
    picture = Path(__file__).parent / "images" / "demo-real.png"
    Image.fromarray(np.concatenate(rows)).save(picture)


if __name__ == "__main__":
    main()
