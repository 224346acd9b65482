"""What the folders for training have in common: a picture per plane, and objects with phrases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image

from napari_sa2va.annotation.session.log import json_text
from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations, Place
    from napari_sa2va.io.export.pictures import Pictures

NOT_KEPT = "Scale and units, scores, colours and the conversation have no place in this format."


def pictures_needed(annotations: Annotations, what: str) -> Pictures:
    """Return the image's pictures.

    Raises
    ------
    InvalidInput
        If they are not known.
    """
    if annotations.pictures is None:
        raise InvalidInput(
            f"{what} is made of pictures and objects, and the image is not known here. In napari "
            "show the image that the labels lie on; on the command line give it with --image."
        )
    return annotations.pictures


def write_json(path: Path, said: Any) -> None:
    """Write JSON in UTF-8; letters that no encoding knows, as in file names, become marks."""
    path.write_text(json_text(said, indent=1), encoding="utf-8", errors="replace")


def write_picture(annotations: Annotations, place: Place, folder: Path) -> str:
    """Write a plane as it was looked at, as PNG; return its file's name."""
    assert annotations.pictures is not None
    name = f"{annotations.stem(place)}.png"
    Image.fromarray(annotations.pictures.plane(place)).save(folder / name, format="PNG")
    return name
