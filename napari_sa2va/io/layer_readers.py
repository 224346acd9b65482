"""File > Open for labels with their phrases, and for NIfTI, as npe2 asks for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from napari_sa2va.annotation import ObjectTable
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.zarr_files import open_zarr
from napari_sa2va.io.export.space import layer_arguments
from napari_sa2va.io.import_coco import read_coco
from napari_sa2va.io.import_nifti import holds_labels, is_nifti, read_nifti
from napari_sa2va.io.import_ome_zarr import read_ome_zarr_labels
from napari_sa2va.io.import_tiff import read_label_tiff, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.io.export import Annotations

    LayerData: TypeAlias = tuple[Any, dict[str, Any], str]
    Reader: TypeAlias = Callable[[str], list[LayerData]]

_MOST_IN_MEMORY: Final = 1 << 30


def get_tiff_reader(path: str | list[str]) -> Reader | None:
    """Return what reads a TIFF of labels; None for one that says nothing of its objects."""
    if not isinstance(path, str):
        return None
    try:
        known = bool(read_label_tiff(Path(path)).records)
    except InvalidInput:  # an image, or damaged: napari's own reader has the say
        return None
    return _read_tiff if known else None


def get_coco_reader(path: str | list[str]) -> Reader | None:
    """Return what reads COCO annotations as labels."""
    return _read_coco if isinstance(path, str) else None


def get_nifti_reader(path: str | list[str]) -> Reader | None:
    """Return what reads NIfTI labels and images."""
    return _read_nifti if isinstance(path, str) and is_nifti(Path(path)) else None


def get_ome_zarr_reader(path: str | list[str]) -> Reader | None:
    """Return what reads an OME-Zarr with labels; None for one without, and for other folders."""
    if not isinstance(path, str):
        return None
    try:
        read_ome_zarr_labels(Path(path))
    except InvalidInput:
        return None
    return _read_ome_zarr


def labels_layer(annotations: Annotations) -> LayerData:
    """Return annotations as a Labels layer, with its phrases; small ones can be painted in."""
    nbytes = annotations.labels.size * annotations.labels.dtype.itemsize
    data: Any = annotations.labels
    if nbytes <= _MOST_IN_MEMORY:
        whole = annotations.whole()
        data = whole.astype("uint8") if whole.dtype.kind == "b" else whole
    meta = {"name": f"{annotations.name} · labels", **layer_arguments(annotations.space)}
    if annotations.records:
        meta["features"] = ObjectTable(annotations.records).features()
    return data, meta, "labels"


def _read_tiff(path: str) -> list[LayerData]:
    return [labels_layer(read_label_tiff(Path(path)))]


def _read_coco(path: str) -> list[LayerData]:
    return [labels_layer(read_coco(Path(path)))]


def _read_nifti(path: str) -> list[LayerData]:
    read = read_nifti(Path(path))
    rgb = read.labels.ndim > len(read.space.axes)
    if not rgb and holds_labels(Path(path)):
        # Floats may hold labels, too, and napari takes none.
        return [labels_layer(replace(read, labels=whole_numbers(read.labels, Path(path))))]
    meta = {"name": read.name, "rgb": rgb, **layer_arguments(read.space)}
    return [(read.labels, meta, "image")]


def _read_ome_zarr(path: str) -> list[LayerData]:
    labels = read_ome_zarr_labels(Path(path))
    layer = labels_layer(labels)
    try:
        image = open_zarr(Path(path))
    except InvalidInput:  # labels without an image
        return [layer]
    if not image.rgb and tuple(image.array.shape) == labels.shape:
        meta = {"name": labels.name, **layer_arguments(labels.space)}
        return [(image.array, meta, "image"), layer]
    if "c" in image.axes:
        axis = image.axes.index("c")
        shape = tuple(image.array.shape)
        if (*shape[:axis], *shape[axis + 1 :]) == labels.shape:
            meta = {"channel_axis": axis, **layer_arguments(labels.space)}
            return [(image.array, meta, "image"), layer]
    return [layer]
