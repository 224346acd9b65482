"""The official fine-tuning folder: ``images/`` and ``annotations.json``, checked before it is used.

A list of ``{"image": file name, "mask": [polygons, …], "text": [phrase, …]}``: per object a list
of polygons ``[x1, y1, x2, y2, …]`` in pixels, and its phrase.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

ANNOTATIONS: Final = "annotations.json"
IMAGES: Final = "images"
_KEYS: Final = ("image", "mask", "text")
_TOLD: Final = 8  # problems in one message
_BEYOND: Final = 1.0  # pixels that a polygon may reach over the image's border
_PLAIN: Final = ("1", "L", "LA", "P", "RGB", "RGBA")
# What Pillow raises of a file that is damaged, of another kind or too large for it.
_UNREADABLE: Final = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """An image of a folder, and what its objects are called.

    Attributes
    ----------
    height, width : int
        Of the image, in pixels.
    objects : tuple
        Of each object its polygons, (n, 2) arrays of x and y.
    texts : tuple of str
        Phrases, each once, as questions have them: in lower case, without a final full stop.
    meant : tuple of tuple of int
        The objects that each phrase means: all that bear it.
    """

    image: Path
    height: int
    width: int
    objects: tuple[tuple[NDArray[np.float64], ...], ...]
    texts: tuple[str, ...]
    meant: tuple[tuple[int, ...], ...]

    def pixels(self) -> NDArray[np.uint8]:
        """Read the image, shape (height, width, 3).

        Raises
        ------
        InvalidInput
            If it was damaged since the folder was read.
        """
        try:
            with Image.open(self.image) as opened:
                return np.asarray(opened.convert("RGB"))
        except _UNREADABLE as error:
            raise InvalidInput(f"The image {self.image} cannot be read: {error}.") from error

    def masks(
        self, objects: Iterable[int], grid: tuple[int, int] | None = None
    ) -> NDArray[np.bool_]:
        """Fill the outlines of some objects, shape (objects, rows, columns).

        Parameters
        ----------
        grid : tuple of int, optional
            Rows and columns that the image is divided into; its own pixels by default.
        """
        size = (self.height, self.width)
        grid = size if grid is None else grid
        drawn = [_filled(self.objects[number], size, grid) for number in objects]
        return np.stack(drawn) if drawn else np.zeros((0, *grid), bool)


def _filled(
    polygons: Iterable[NDArray[np.float64]], size: tuple[int, int], grid: tuple[int, int]
) -> NDArray[np.bool_]:
    """Fill the places whose middle is inside; at least one, however small the object is."""
    from skimage.draw import polygon as drawing

    inside: Any = drawing  # not typed
    mask = np.zeros(grid, bool)
    scale = np.array([grid[1] / size[1], grid[0] / size[0]])
    for polygon in polygons:
        x, y = (polygon * scale - 0.5).T
        mask[inside(y, x, grid)] = True
    if not mask.any():
        column, row = np.clip((polygon * scale).mean(0), 0, (grid[1] - 1, grid[0] - 1)).astype(int)
        mask[row, column] = True
    return mask


def read_folder(folder: Path) -> list[Example]:
    """Read a fine-tuning folder; nothing of it is used if anything is wrong with it.

    Returns
    -------
    list of Example
        One per image, also where several entries name it.

    Raises
    ------
    InvalidInput
        Naming the entries that cannot be used, and why.
    """
    path = folder / ANNOTATIONS
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidInput(
            f"{folder} has no {ANNOTATIONS}. Give the folder that holds it and {IMAGES}/, such as "
            "the export 'Sa2VA fine-tuning' writes."
        ) from error
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.") from error
    if not isinstance(entries, list) or not entries:
        raise InvalidInput(f"{path} must hold a list of images with their objects.")
    found: list[Example] = []
    problems: list[str] = []
    for number, entry in enumerate(entries, start=1):
        try:
            found.append(_example(folder, entry))
        except InvalidInput as error:
            named = entry.get("image") if isinstance(entry, dict) else None
            problems.append(f"entry {number}{f' ({named})' if named else ''}: {error}")
    if problems:
        more = len(problems) - _TOLD
        listed = "\n".join(problems[:_TOLD]) + (f"\n… and {more} more" if more > 0 else "")
        raise InvalidInput(f"{path} cannot be trained on.\n{listed}")
    return _merged(found)


def _merged(examples: Iterable[Example]) -> list[Example]:
    """Join entries of one image: some programs write an entry for each object.

    Apart, those that share a phrase would teach contradictory masks, each a part of what it means.
    """
    entries: dict[Path, list[Example]] = {}
    for example in examples:
        entries.setdefault(example.image, []).append(example)
    joined = []
    for same in entries.values():
        objects: list[tuple[NDArray[np.float64], ...]] = []
        meant: dict[str, tuple[int, ...]] = {}
        for entry in same:
            for text, numbers in zip(entry.texts, entry.meant, strict=True):
                moved = tuple(len(objects) + number for number in numbers)
                meant[text] = meant.get(text, ()) + moved
            objects += entry.objects
        texts, together = tuple(meant), tuple(meant.values())
        joined.append(replace(same[0], objects=tuple(objects), texts=texts, meant=together))
    return joined


def _example(folder: Path, entry: Any) -> Example:
    if not isinstance(entry, dict) or any(key not in entry for key in _KEYS):
        raise InvalidInput(f"it must have the keys {', '.join(_KEYS)}.")
    name, masks, texts = (entry[key] for key in _KEYS)
    image = folder / IMAGES / str(name)
    height, width = _size(image)
    if not isinstance(masks, list) or not isinstance(texts, list):
        raise InvalidInput("mask and text must be lists, of one entry per object.")
    if len(masks) != len(texts):
        raise InvalidInput(f"it has {len(masks)} masks and {len(texts)} texts.")
    if not texts:
        raise InvalidInput("it names no object: take it out.")
    objects, meant = [], dict[str, list[int]]()
    for number, (mask, text) in enumerate(zip(masks, texts, strict=True)):
        phrase = plain(text) if isinstance(text, str) else ""
        if not phrase:
            raise InvalidInput(f"object {number + 1} has an empty text.")
        objects.append(_polygons(mask, f"object {number + 1} ({phrase!r})", (height, width)))
        meant.setdefault(phrase, []).append(number)
    return Example(
        image, height, width, tuple(objects), tuple(meant), tuple(map(tuple, meant.values()))
    )


def plain(phrase: str) -> str:
    """Write a phrase as questions have it: lower case, single spaces, no final full stop."""
    return " ".join(phrase.split()).removesuffix(".").strip().lower()


def _size(image: Path) -> tuple[int, int]:
    try:
        with Image.open(image) as opened:
            mode, (width, height) = opened.mode, opened.size
            opened.load()  # one that was cut short opens
    except FileNotFoundError as error:
        raise InvalidInput(f"there is no image {image}.") from error
    except _UNREADABLE as error:
        raise InvalidInput(f"the image {image} cannot be read: {error}.") from error
    if mode not in _PLAIN:
        raise InvalidInput(
            f"the image {image.name} has pixels of the kind {mode}. Write it with 8 bits a "
            "channel, at the contrast at which it is to be looked at."
        )
    return height, width


def _polygons(mask: Any, what: str, size: tuple[int, int]) -> tuple[NDArray[np.float64], ...]:
    if not isinstance(mask, list) or not mask:
        raise InvalidInput(f"{what} has no mask: a list of polygons is wanted.")
    found = []
    for points in mask:
        try:
            flat = np.asarray(points, np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{what} has a polygon that is no list of numbers.") from error
        if flat.ndim != 1 or len(flat) < 6 or len(flat) % 2 or not np.isfinite(flat).all():
            raise InvalidInput(
                f"{what} has a polygon that is not of three points [x1, y1, x2, y2, …] at least."
            )
        polygon = flat.reshape(-1, 2)
        beyond = polygon - (size[1] + _BEYOND, size[0] + _BEYOND)
        if polygon.min() < -_BEYOND or beyond.max() > 0:
            raise InvalidInput(
                f"{what} reaches out of its image of {size[1]} x {size[0]} pixels: it was drawn on "
                "one of another size."
            )
        found.append(polygon)
    return tuple(found)


def held_out(
    examples: list[Example], share: float, seed: int = 0
) -> tuple[list[Example], list[Example]]:
    """Split into what is trained on and what is not, by image.

    Raises
    ------
    InvalidInput
        If there are too few images.
    """
    images = sorted({example.image for example in examples})
    count = max(1, round(share * len(images))) if share > 0 else 0
    if count >= len(images):
        raise InvalidInput(
            f"There are {len(images)} images, too few to hold {share:.0%} of them out. Annotate "
            "more of them, or hold none out (--held-out 0)."
        )
    chosen = np.random.default_rng([seed, 51]).permutation(len(images))[:count]
    kept = {images[number] for number in chosen.tolist()}
    return (
        [example for example in examples if example.image not in kept],
        [example for example in examples if example.image in kept],
    )
