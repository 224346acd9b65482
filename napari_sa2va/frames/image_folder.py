"""A folder of pictures of one plane each, in natural order, as a stack."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.files import TIFF_SUFFIXES, ImageFile, open_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_SUFFIXES: Final = TIFF_SUFFIXES | {".png", ".jpg", ".jpeg", ".bmp", ".npy"}


def open_image_folder(
    folder: Path, contrast_limits: tuple[float, float] | None = None
) -> ImageFile:
    """Open the images of a folder as planes along one axis, each read when it is asked for.

    Contrast limits are those of the first image: napari, too, looks at that one alone.

    Raises
    ------
    InvalidInput
        No images, or ones that hold stacks themselves.
    """
    paths = sorted(
        (path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file()),
        key=_natural,
    )
    if not paths:
        raise InvalidInput(
            f"{folder} holds no images: a folder of TIFF, PNG or JPEG files is needed, or a zarr."
        )
    first = open_image(paths[0], contrast_limits=contrast_limits)
    if first.axes:
        raise InvalidInput(
            f"{paths[0].name} in {folder.name} is a stack itself: give it alone, or a folder of "
            "single planes."
        )
    array = _FolderArray(paths, first)
    return ImageFile(folder, array, ("axis 0",), first.rgb, first.channel)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sort key that puts ``a9`` before ``a10``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


class _FolderArray:
    """Array over files of one plane each."""

    def __init__(self, paths: list[Path], first: ImageFile) -> None:
        self._paths = paths
        self.shape: tuple[int, ...] = (len(paths), *first.array.shape)
        self.dtype: np.dtype[Any] = np.dtype(first.array.dtype)
        self.ndim = len(self.shape)
        self.size = math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        number, *inner = index if isinstance(index, tuple) else (index,)
        image = self._open(number)
        return np.asarray(image.array[tuple(inner)])

    def _open(self, number: int) -> ImageFile:
        """Open one file, and refuse it where it is not like the first."""
        path = self._paths[number]
        image = open_image(path, contrast_limits=(0, 1))  # unused, and cheaper than to find them
        if image.array.shape != self.shape[1:] or image.array.dtype != self.dtype:
            raise InvalidInput(
                f"{path.name} is {image.array.dtype} of shape {image.array.shape}, the first image "
                f"of the folder {self.dtype} of shape {self.shape[1:]}"
            )
        return image
