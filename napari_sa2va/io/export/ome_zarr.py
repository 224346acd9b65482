"""Labels as OME-Zarr 0.4 and 0.5: multiscale, with colours and properties of each label.

https://ngff.openmicroscopy.org/0.4/ and /0.5/: labels lie in the group ``labels`` of an image. A
new folder gets the image, too, where it is known; an OME-Zarr image that is there gets the labels.
What is there is looked at in `ome_zarr_there`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing_folder
from napari_sa2va.io.export.annotations import smallest_type
from napari_sa2va.io.export.ome_zarr_arrays import (
    array_order,
    create_level,
    level_shapes,
    moved,
    put_metadata,
)
from napari_sa2va.io.export.ome_zarr_image import has_no_room, image_metadata, write_image
from napari_sa2va.io.export.ome_zarr_metadata import OURS, image_label, multiscales
from napari_sa2va.io.export.ome_zarr_there import (
    LABEL,
    check_ours,
    check_size,
    consolidate,
    image_there,
    is_consolidated,
    mark_of,
)
from napari_sa2va.io.export.space import letters

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.io.export.annotations import Annotations
    from napari_sa2va.io.export.ome_zarr_there import Version


def write_ome_zarr_04(annotations: Annotations, path: Path) -> list[str]:
    """Write version 0.4 (zarr format 2); return what it cannot hold."""
    return _write(annotations, path, "0.4")


def write_ome_zarr_05(annotations: Annotations, path: Path) -> list[str]:
    """Write version 0.5 (zarr format 3); return what it cannot hold."""
    return _write(annotations, path, "0.5")


def _write(annotations: Annotations, path: Path, version: Version) -> list[str]:
    import zarr

    named = letters(annotations.space.axes)
    if named is None:
        raise InvalidInput(
            "OME-Zarr knows time, depth and channels; these labels have the axes "
            f"{', '.join(annotations.space.axes)}. Choose COCO or a table."
        )
    with_image = annotations.pictures is not None and not has_no_room(annotations, named)
    there = image_there(path, annotations, named, with_image=with_image)
    if there is not None and there != version:
        raise InvalidInput(
            f"{path} is an OME-Zarr image of version {there}: choose that version, or another name."
        )
    if there is not None:
        try:
            _add_labels(annotations, path, version, named)
        except OSError as error:
            raise InvalidInput(
                f"{path} could not be written: {error.strerror or error}. Choose another name, or "
                "free some space."
            ) from error
        return _notes(annotations, named, added=True)
    check_ours(path, version)
    with replacing_folder(path, mark_of(version)) as new:
        root = zarr.open_group(str(new), mode="w", zarr_format=2 if version == "0.4" else 3)
        levels = _write_labels(root.create_group(f"labels/{LABEL}"), annotations, named, version)
        put_metadata(root["labels"], {"labels": [LABEL]}, version)
        if not with_image:
            # A group without an image of its own is opened by nobody: it shows the labels' numbers.
            paths = [f"labels/{LABEL}/{level}" for level in range(levels)]
            put_metadata(root, image_metadata(annotations, named, version, paths), version)
        else:
            write_image(root, annotations, named, version)
        provenance = annotations.provenance
        root.attrs[OURS] = provenance.detail() | provenance.origin()
    return _notes(annotations, named, added=False)


# --- the labels


def _write_labels(
    group: Any, annotations: Annotations, named: tuple[str, ...], version: Version
) -> int:
    """Write all levels; return how many."""
    order = array_order(named)
    shape = tuple(annotations.shape[axis] for axis in order)
    largest, seen = _survey(annotations)
    dtype = smallest_type(largest)
    arrays = [
        create_level(group, str(level), size, dtype, named, order, version)
        for level, size in enumerate(level_shapes(shape))
    ]
    for place, plane in annotations.planes():
        where = moved(place, order)
        smaller: NDArray[Any] = plane.astype(dtype)
        for array in arrays:
            if smaller.any():  # chunks of zeros are there already
                array[where] = smaller
            smaller = smaller[::2, ::2]
    paths = [str(level) for level in range(len(arrays))]
    metadata = {
        "multiscales": multiscales(
            annotations.name, annotations.space, named, order, paths, version
        ),
        "image-label": image_label(annotations.records, seen, version),
    }
    put_metadata(group, metadata, version)
    group.attrs[OURS] = {
        "provenance": annotations.provenance.detail(),
        "conversation": [
            {"speaker": turn.speaker, "text": turn.text, "labels": list(turn.labels)}
            for turn in annotations.turns
        ],
    }
    return len(arrays)


def _survey(annotations: Annotations) -> tuple[int, list[int]]:
    seen: set[int] = set()
    for _, plane in annotations.planes():
        seen.update(np.unique(plane).tolist())
    seen.discard(0)
    return max(seen, default=0), sorted(seen)


# --- into an image that is there


def _add_labels(
    annotations: Annotations, path: Path, version: Version, named: tuple[str, ...]
) -> None:
    import zarr

    # Not by a copy of the metadata, which knows nothing of what was added after it.
    root = zarr.open_group(str(path), mode="r+", use_consolidated=False)
    check_size(annotations, root, path, named)
    consolidated = is_consolidated(path)
    labels = root.require_group("labels")
    if LABEL in labels and OURS not in dict(labels[LABEL].attrs):
        raise InvalidInput(f"{path} has labels called {LABEL} that are not ours.")
    with replacing_folder(path / "labels" / LABEL, mark_of(version)) as new:
        group = zarr.open_group(str(new), mode="w", zarr_format=2 if version == "0.4" else 3)
        _write_labels(group, annotations, named, version)
    said: dict[str, Any] = dict(labels.attrs)
    names = list(said.get("ome", said).get("labels", []))
    if LABEL not in names:
        put_metadata(labels, {"labels": [*names, LABEL]}, version)
    if consolidated:
        consolidate(path)


# --- words


def _notes(annotations: Annotations, named: tuple[str, ...], *, added: bool) -> list[str]:
    space, notes = annotations.space, []
    for axis, letter in zip(space.axes, named, strict=True):
        if axis != letter:
            notes.append(f"The axis {axis!r} has no type in OME-Zarr: it is called {letter}.")
    if array_order(named) != list(range(len(named))):
        notes.append("The axes are in OME-Zarr's order: time, channel, depth, rows, columns.")
    if not space.is_upright:
        notes.append(
            "This version has no rotation, mirroring or shear: scale and position are kept."
        )
    if added:
        notes.append(f"The labels were added to the image that was there, as labels/{LABEL}.")
    elif annotations.pictures is None:
        notes.append(
            "The image itself is not known here: the group shows the labels' numbers in its place."
        )
    elif has_no_room(annotations, named):
        notes.append(
            "OME-Zarr has one axis for channels, and the labels take it: the image is left out, "
            "and the group shows the labels' numbers in its place."
        )
    return notes
