"""File > Open for labels with their phrases, and for NIfTI, as npe2 asks for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from napari_sa2va.annotation import ObjectTable
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.zarr_files import open_zarr
from napari_sa2va.io.export.image_files import OneChannel
from napari_sa2va.io.export.space import layer_arguments
from napari_sa2va.io.import_coco import read_coco
from napari_sa2va.io.import_nifti import holds_labels, is_nifti, read_nifti
from napari_sa2va.io.import_ome_zarr import image_space, label_names, read_ome_zarr_labels
from napari_sa2va.io.import_tiff import read_label_tiff, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.frames.zarr_files import ZarrImage
    from napari_sa2va.io.export import Annotations
    from napari_sa2va.io.export.space import Space

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


def labels_layer(annotations: Annotations, title: str = "labels") -> LayerData:
    """Return annotations as a Labels layer, with its phrases; small ones can be painted in."""
    nbytes = annotations.labels.size * annotations.labels.dtype.itemsize
    data: Any = annotations.labels
    if nbytes <= _MOST_IN_MEMORY:
        whole = annotations.whole()
        data = whole.astype("uint8") if whole.dtype.kind == "b" else whole
    meta = {"name": f"{annotations.name} · {title}", **layer_arguments(annotations.space)}
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
    """Read the image and all labels: ours last, so that they lie on top."""
    where = Path(path)
    names = label_names(where)
    first = read_ome_zarr_labels(where, *names[:1])
    found = {names[0] if len(names) > 1 else "labels": first}
    for name in names[1:]:
        try:
            found[name] = read_ome_zarr_labels(where, name)
        except InvalidInput as error:  # the others are not the worse for it
            _tell(str(error))
    layers: list[LayerData] = []
    try:
        image = open_zarr(where)
        space = image_space(where, image)
    except InvalidInput:  # labels without an image
        pass
    else:
        at = _split_at(image, space, first)
        if not _fits(image, space, first, at):
            _tell(f"The image of {first.name} is left out: its labels have another size or axes.")
        else:
            named: dict[str, Any] = {"name": first.name, "rgb": image.rgb}
            sides = list(image.array.shape[: len(space.axes)])  # without colours
            if at is not None:
                named, space = {"channel_axis": at}, space.without(at)
                del sides[at]
                found = {name: _without_channel(labels) for name, labels in found.items()}
                first = _without_channel(first)
            if first.shape == tuple(sides):  # pixel by pixel, whatever scale either says
                space = first.space
                found = {
                    name: replace(labels, space=space) if labels.shape == first.shape else labels
                    for name, labels in found.items()
                }
            layers.append((image.array, {**named, **layer_arguments(space)}, "image"))
    return [*layers, *(labels_layer(found[name], name) for name in reversed(found))]


def _split_at(image: ZarrImage, space: Space, labels: Annotations) -> int | None:
    """Return the axis of an image's channels if they become layers: labels are of all of them."""
    if "c" not in space.axes or tuple(image.array.shape) == labels.shape:
        return None
    channels = dict(zip(labels.space.axes, labels.shape, strict=True)).get("c", 1)
    return space.axes.index("c") if channels == 1 else None


def _fits(image: ZarrImage, space: Space, labels: Annotations, split_at: int | None) -> bool:
    """Whether napari, which counts axes from the last, lays labels on the pixels they are of.

    Axes that only one of both has, or that one of both has a single position of, do not count.
    """
    if tuple(image.array.shape) == labels.shape:  # whatever their axes are called
        return True
    left_out = "" if split_at is None else "c"
    lengths = dict(zip(space.axes, image.array.shape, strict=False))  # colours have no name
    theirs = dict(zip(labels.space.axes, labels.shape, strict=True))
    long, short = sorted(
        ([axis for axis in axes if axis != left_out] for axes in (lengths, theirs)), key=len
    )[::-1]
    return long[len(long) - len(short) :] == short and all(
        lengths[axis] == theirs[axis] or 1 in (lengths[axis], theirs[axis]) for axis in short
    )


def _without_channel(labels: Annotations) -> Annotations:
    """Take the one channel of labels whose image comes as a layer for each of its own."""
    axes = labels.space.axes
    if "c" not in axes or labels.shape[axes.index("c")] != 1:
        return labels
    at = axes.index("c")
    return replace(labels, labels=OneChannel(labels.labels, at, 0), space=labels.space.without(at))


def _tell(sentence: str) -> None:
    from napari.utils.notifications import show_warning

    show_warning(sentence)
