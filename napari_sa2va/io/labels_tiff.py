"""Label images and stacks as TIFF files that Fiji and napari open with their scale and colours."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tifffile

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.colours import imagej_colours

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_IMAGEJ_MAX_LABEL: Final = 65_535
LARGEST_WITH_PAGES: Final = 2**32 - 2**25
"""Pages are found by 32-bit offsets; some room is left for what is beside the pixels."""


def write_labels(
    path: Path,
    labels: NDArray[np.integer[Any]],
    *,
    phrases: Mapping[int, str] | None = None,
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
    software: str | None = None,
) -> None:
    """Write a label image atomically.

    An ImageJ TIFF of uint16 with a colour table; with a label above 65,535, which ImageJ cannot
    hold as an integer, a plain TIFF of uint32.

    Parameters
    ----------
    path : Path
        Ends in ``.tif`` or ``.tiff``.
    labels : ndarray of integers, shape (height, width)
        0 is background.
    phrases : mapping of int to str, optional
        What each label stands for: shown by Fiji under Image > Show Info.
    pixel_size : (float, float), optional
        Height and width of a pixel, in `unit`.
    unit : str, optional
        Such as ``"µm"``; ``"pixel"`` when not given.
    software : str, optional
        What the file says it was written by: see `napari_sa2va.io.own_labels`.

    Raises
    ------
    InvalidInput
        If a label is negative, or the file cannot be written.
    """
    largest = int(labels.max(initial=0))
    if labels.min(initial=0) < 0:
        raise InvalidInput("Labels must not be negative: 0 is background, objects count from 1.")
    height, width = pixel_size or (1.0, 1.0)
    resolution = (1 / width, 1 / height)
    info = json.dumps({str(label): phrase for label, phrase in (phrases or {}).items()})
    with replacing(path) as temporary:
        if largest > _IMAGEJ_MAX_LABEL:
            tifffile.imwrite(
                temporary,
                labels.astype(np.uint32),
                compression="zlib",
                software=software,
                resolution=resolution,
                metadata={"axes": "YX", "phrases": info, "unit": unit or "pixel"},
            )
            return
        tifffile.imwrite(
            temporary,
            labels.astype(np.uint16),
            imagej=True,
            software=software,
            resolution=resolution,
            metadata={
                "axes": "YX",
                "unit": _imagej_unit(unit),
                "min": 0.0,
                "max": float(max(largest, 1)),
                "Info": info,
                "LUTs": [imagej_colours(largest)],
            },
        )


def write_label_stack(
    path: Path,
    planes: Iterable[NDArray[np.integer[Any]]],
    shape: tuple[int, int, int],
    axis: str,
    *,
    largest: int,
    phrases: Mapping[int, str] | None = None,
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
    step: float | None = None,
    software: str | None = None,
) -> None:
    """Write a stack of labels atomically, plane by plane: it need not fit into memory.

    An ImageJ hyperstack of uint16 with a colour table. Above 4 GB only the first page is listed in
    the file, as Fiji writes it: Fiji, tifffile and napari find the others by ImageJ's metadata.

    Parameters
    ----------
    path : Path
        Ends in ``.tif`` or ``.tiff``.
    planes : iterable of ndarray of integers, shape (height, width)
        As many as `shape` says; 0 is background.
    shape : (int, int, int)
        Planes, height and width.
    axis : str
        What the planes lie along: ``"z"`` for slices; anything else are frames.
    largest : int
        The largest label: at most 65,535, which ImageJ's integers end at.
    phrases, pixel_size, unit, software
        As of `write_labels`.
    step : float, optional
        From a plane to the next: in `unit` along z, else in seconds.

    Raises
    ------
    InvalidInput
        If there are too many labels, or the file cannot be written.
    """
    if largest > _IMAGEJ_MAX_LABEL:
        raise InvalidInput(
            f"A TIFF stack holds {_IMAGEJ_MAX_LABEL:,} labels at most. Choose zarr instead."
        )
    along_z = axis.lower() == "z"
    height, width = pixel_size or (1.0, 1.0)
    metadata: dict[str, Any] = {
        "axes": "ZYX" if along_z else "TYX",
        "unit": _imagej_unit(unit),
        "min": 0.0,
        "max": float(max(largest, 1)),
        "Info": json.dumps({str(label): phrase for label, phrase in (phrases or {}).items()}),
        "LUTs": [imagej_colours(largest)],
    }
    if step is not None:
        metadata["spacing" if along_z else "finterval"] = step
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            (plane.astype(np.uint16) for plane in planes),
            shape=shape,
            dtype=np.uint16,
            imagej=True,
            truncate=math.prod(shape) * 2 > LARGEST_WITH_PAGES,
            software=software,
            resolution=(1 / width, 1 / height),
            metadata=metadata,
        )


def _imagej_unit(unit: str | None) -> str:
    # ImageJ's own spelling; the description tag that holds it is ASCII.
    if unit is None:
        return "pixel"
    return "micron" if unit in ("µm", "μm", "um", "micrometer") else unit
