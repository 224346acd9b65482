"""Any file of labels as `Annotations`, by what it is."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from napari_sa2va.annotation.session import is_session
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import open_image
from napari_sa2va.frames.files import TIFF_SUFFIXES
from napari_sa2va.frames.zarr_files import is_zarr
from napari_sa2va.io.export.from_layers import plain_annotations
from napari_sa2va.io.export.from_session import session_annotations
from napari_sa2va.io.export.provenance import source_of
from napari_sa2va.io.import_coco import read_coco
from napari_sa2va.io.import_nifti import is_nifti, read_nifti
from napari_sa2va.io.import_ome_zarr import read_ome_zarr_labels
from napari_sa2va.io.import_tiff import read_label_tiff, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations

_COLOURS: Final = (
    "{} is a colour picture. Give a label image, in which every pixel holds the number of its "
    "object."
)


@contextmanager
def opened_annotations(path: Path) -> Iterator[Annotations]:
    """Open a session or any file of labels for as long as the block runs.

    Sessions, TIFF (ours with their rows), OME-Zarr labels and zarr arrays, COCO, NIfTI, ``.npy``
    and pictures whose pixels are numbers.

    Raises
    ------
    InvalidInput
        If it is not there, or holds no labels.
    """
    if not path.exists():
        raise InvalidInput(f"There is no file or folder {path}.")
    if is_session(path):
        with session_annotations(path) as found:
            yield _known(found, path)
    else:
        yield _known(read_labels(path), path)


def read_labels(path: Path) -> Annotations:
    """Read a file of labels that is no session; planes are read when they are asked for.

    Raises
    ------
    InvalidInput
        If it holds no labels.
    """
    if path.suffix.lower() in TIFF_SUFFIXES:
        return read_label_tiff(path)
    if path.suffix.lower() == ".json":
        return read_coco(path)
    if is_nifti(path):
        read = read_nifti(path)
        if len(read.labels.shape) != len(read.space.axes):
            raise InvalidInput(_COLOURS.format(path.name))
        return replace(read, labels=whole_numbers(read.labels, path))
    if is_zarr(path):
        return _of_zarr(path)
    image = open_image(path, contrast_limits=(0.0, 1.0))
    if image.rgb:
        raise InvalidInput(_COLOURS.format(path.name))
    return plain_annotations(
        path.stem.removesuffix("_labels"), whole_numbers(image.array, path), image.axes
    )


def _known(found: Annotations, path: Path) -> Annotations:
    """Say of annotations which file they are from: a later export of it is known by that."""
    return replace(found, provenance=replace(found.provenance, source=source_of(path)))


def _of_zarr(path: Path) -> Annotations:
    import zarr

    try:
        opened = zarr.open(str(path), mode="r")
    except (OSError, ValueError, KeyError, TypeError) as error:  # zarr's words for a damaged store
        raise InvalidInput(f"{path} cannot be read as zarr ({error!r}).") from error
    if not isinstance(opened, zarr.Array):
        return read_ome_zarr_labels(path)
    names = [str(name or "") for name in getattr(opened.metadata, "dimension_names", None) or ()]
    return plain_annotations(path.name.split(".")[0], whole_numbers(opened, path), names[:-2])
