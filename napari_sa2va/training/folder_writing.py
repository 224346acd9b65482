"""Writing a fine-tuning folder from arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.export.outlines import polygons
from napari_sa2va.training.folder import ANNOTATIONS, IMAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray


def write_folder(
    folder: Path | str,
    pictures: Iterable[tuple[NDArray[np.uint8], Mapping[str, NDArray[np.bool_]]]],
) -> None:
    """Write ``images/`` and ``annotations.json``, which `folder.read_folder` reads back.

    Parameters
    ----------
    pictures : iterable
        Images of shape (height, width, 3), each with its phrases and the mask that each means,
        of shape (height, width). Those without phrases are left out: nothing is learnt of them.

    Raises
    ------
    InvalidInput
        If a mask is empty, or of another size than its image.
    """
    folder = Path(folder)
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    entries = []
    for number, (pixels, phrases) in enumerate(pictures):
        if not phrases:
            continue
        name = f"{number:04}.png"
        for phrase, mask in phrases.items():
            if mask.shape != pixels.shape[:2] or not mask.any():
                raise InvalidInput(
                    f"The mask of {phrase!r} in picture {number} is empty, or has the shape "
                    f"{mask.shape} where the picture has {pixels.shape[:2]}."
                )
        entries.append(
            {
                "image": name,
                "mask": [[p.ravel().tolist() for p in polygons(m)] for m in phrases.values()],
                "text": list(phrases),
            }
        )
        Image.fromarray(pixels).save(folder / IMAGES / name)
    (folder / ANNOTATIONS).write_text(json.dumps(entries), encoding="utf-8")
