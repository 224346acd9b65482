"""Image files for the command line, read and drawn as napari does on opening them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.contrast import default_contrast_limits
from napari_sa2va.frames.render import Channel
from napari_sa2va.frames.source import ArrayFrames
from napari_sa2va.frames.tiff import open_tiff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.frames.region import Region
    from napari_sa2va.frames.source import ArrayLike

TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".lsm", ".stk"})

# Where metadata names no axis, napari takes a last axis of 3 or 4 for colour if the two before it
# are longer than this (`guess_rgb` in napari/layers/image/_image_utils.py, 0.9.2).
_SHORTEST_COLOUR_SIDE = 30


@dataclass(frozen=True, slots=True, eq=False)
class ImageFile:
    """An opened image: an array, what its axes are, and how napari would draw it.

    Parameters
    ----------
    path : Path
        Where it was read from.
    array : array-like
        (leading axes..., rows, columns), and colour components last if ``rgb``. Read lazily.
    axes : tuple of str
        Names of the leading axes, such as ``("t", "z")``.
    rgb : bool
        The last axis holds red, green, blue and maybe alpha.
    channel : Channel
        Gray, with napari's contrast limits or the user's.
    """

    path: Path
    array: ArrayLike
    axes: tuple[str, ...]
    rgb: bool
    channel: Channel

    @property
    def leading_shape(self) -> tuple[int, ...]:
        """Number of planes along each leading axis."""
        return tuple(int(length) for length in self.array.shape[: len(self.axes)])

    @property
    def default_index(self) -> tuple[int, ...]:
        """The plane that napari shows first: the middle of every axis, the lower of two."""
        return tuple((length - 1) // 2 for length in self.leading_shape)

    def frames(
        self, index: Sequence[int] | None = None, region: Region | None = None
    ) -> ArrayFrames:
        """Return one plane as what the model looks at.

        Parameters
        ----------
        index : sequence of int, optional
            Position on each leading axis; `default_index` if left out.
        region : Region, optional
            Part of the plane; all of it if left out.

        Raises
        ------
        InvalidInput
            There is no such plane.
        """
        chosen = self.default_index if index is None else tuple(index)
        self._check(chosen)
        return ArrayFrames(
            (self.array,), (self.channel,), ((*chosen, None, None),), region, rgb=(self.rgb,)
        )

    def title(self, index: Sequence[int] | None = None) -> str:
        """Name the file and the plane, such as ``cells.tif · t 3 · z 0``."""
        chosen = self.default_index if index is None else index
        places = (f"{axis} {at}" for axis, at in zip(self.axes, chosen, strict=True))
        return " · ".join((self.path.name, *places))

    def _check(self, index: tuple[int, ...]) -> None:
        lengths = self.leading_shape
        if len(index) != len(lengths):
            wanted = ", ".join(
                f"{axis} (0 to {length - 1})"
                for axis, length in zip(self.axes, lengths, strict=True)
            )
            raise InvalidInput(
                f"{self.path.name} needs one number for each of: {wanted}."
                if lengths
                else f"{self.path.name} is a single plane and takes no index."
            )
        for axis, at, length in zip(self.axes, index, lengths, strict=True):
            if not 0 <= at < length:
                raise InvalidInput(
                    f"{self.path.name} has no plane {at} along {axis}: choose 0 to {length - 1}."
                )


def open_image(
    path: str | Path, *, contrast_limits: tuple[float, float] | None = None
) -> ImageFile:
    """Open an image file: TIFF and its relatives, ``.npy``, and whatever Pillow reads.

    Parameters
    ----------
    path : str or Path
        The file. TIFF and ``.npy`` are read plane by plane, when asked for.
    contrast_limits : tuple of float, optional
        Values drawn black and white. Left out: those that napari would set.

    Raises
    ------
    InvalidInput
        No such file, one that cannot be read as an image, or one without a two-dimensional plane.
    """
    path = Path(path)
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder: give the image files in it one by one.")
    if not path.exists():
        raise InvalidInput(f"There is no file {path}.")
    try:
        array, axes = _read(path)
    except InvalidInput:
        raise
    # Every format and every decoder has errors of its own; to the user they are one.
    except Exception as error:
        raise InvalidInput(
            f"{path} cannot be read as an image: it is empty, cut short or damaged, or of a kind "
            f"that is not known ({error}). Copy it again from where it came from, or save it as "
            "TIFF or PNG."
        ) from error
    rgb = is_rgb(array.shape, axes)
    plane_axes = 3 if rgb else 2
    if array.ndim < plane_axes or 0 in array.shape:
        raise InvalidInput(
            f"{path} holds data of shape {tuple(array.shape)}, which has no two-dimensional plane."
        )
    leading = array.ndim - plane_axes
    names = tuple(
        axes[i].lower() if axes and axes[i] not in "QI" else f"axis {i}" for i in range(leading)
    )
    limits = contrast_limits or default_contrast_limits(array, rgb=rgb)
    return ImageFile(path, array, names, rgb, Channel(limits))


def parse_index(text: str) -> tuple[int, ...]:
    """Read ``--index``: whole numbers from 0, one per leading axis, such as ``3`` or ``0,12``."""
    try:
        index = tuple(int(part) for part in text.split(","))
    except ValueError:
        index = (-1,)
    if min(index) < 0:
        raise InvalidInput(
            f"An index is made of whole numbers from 0, separated by commas, not {text!r}."
        )
    return index


def parse_contrast(text: str) -> tuple[float, float]:
    """Read ``--contrast``: the values to draw black and white, such as ``100,4000``."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = float("nan")
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InvalidInput(
            f"Contrast limits are two numbers, the lower first, with a comma between, not {text!r}."
        )
    return low, high


def _read(path: Path) -> tuple[ArrayLike, str]:
    """Open a file: its array, and a letter per axis where the file has them."""
    suffix = path.suffix.lower()
    if suffix in TIFF_SUFFIXES:
        image = open_tiff(path)
        return image.array, image.axes
    if suffix == ".npy":
        return np.load(path, mmap_mode="r", allow_pickle=False), ""
    return _read_picture(path)


def _read_picture(path: Path) -> tuple[ArrayLike, str]:
    """Decode with imageio's Pillow plugin, which napari's reader ends up with for pictures.

    Named, as otherwise imageio tries every plugin on a file that none can read, and leaves it open.
    """
    import imageio.v3 as imageio

    picture: np.ndarray[Any, Any] = np.asarray(imageio.imread(path, plugin="pillow"))
    if picture.ndim == 3 and picture.shape[2] == 2:
        gray, alpha = picture[..., 0], picture[..., 1]
        picture = np.stack([gray, gray, gray, alpha], axis=-1)
    if picture.ndim == 3 and picture.shape[2] in (3, 4):
        return picture, "YXS"
    return picture, ""


def is_rgb(shape: tuple[int, ...], axes: str) -> bool:
    """Whether the last axis holds colours: axes end in S, or the shape looks so to napari."""
    if len(shape) < 3 or shape[-1] not in (3, 4):
        return False
    return axes.endswith("S") or min(shape[-3:-1]) > _SHORTEST_COLOUR_SIDE
