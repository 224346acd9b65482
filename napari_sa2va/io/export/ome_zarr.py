"""Labels as OME-Zarr 0.4 and 0.5: multiscale, with colours and properties of each label.

https://ngff.openmicroscopy.org/0.4/ and /0.5/: labels lie in the group ``labels`` of an image. A
new folder gets the image, too, where it is known; an OME-Zarr image that is there gets the labels.
What is there is looked at in `ome_zarr_there`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing_folder
from napari_sa2va.io.export.annotations import smallest_type
from napari_sa2va.io.export.ome_zarr_metadata import (
    OURS,
    axes_detail,
    image_label,
    multiscales,
    omero,
)
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
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.io.export.annotations import Annotations, Place
    from napari_sa2va.io.export.ome_zarr_there import Version

_ORDER: Final = "tczyx"
_TILE: Final = 1024
_SMALLEST: Final = 256


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
    with_image = annotations.pictures is not None and not _has_no_room(annotations, named)
    there = image_there(path, with_image=with_image)
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
        _put(root["labels"], {"labels": [LABEL]}, version)
        if not with_image:
            # A group without an image of its own is opened by nobody: it shows the labels' numbers.
            paths = [f"labels/{LABEL}/{level}" for level in range(levels)]
            _put(root, _image_metadata(annotations, named, version, paths), version)
        else:
            _write_image(root, annotations, named, version)
        root.attrs[OURS] = annotations.provenance.detail()
    return _notes(annotations, named, added=False)


# --- the labels


def _write_labels(
    group: Any, annotations: Annotations, named: tuple[str, ...], version: Version
) -> int:
    """Write all levels; return how many."""
    order = _places(named)
    shape = tuple(annotations.shape[axis] for axis in order)
    largest, seen = _survey(annotations)
    dtype = smallest_type(largest)
    arrays = [
        _create(group, str(level), size, dtype, named, order, version)
        for level, size in enumerate(_level_shapes(shape))
    ]
    for place, plane in annotations.planes():
        where = _moved(place, order)
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
    _put(group, metadata, version)
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


# --- the image


def _has_no_room(annotations: Annotations, named: tuple[str, ...]) -> bool:
    """Whether the image needs the one axis of channels, and the labels have channels already."""
    pictures = annotations.pictures
    if pictures is None or "c" not in named:
        return False
    return any(pictures.rgb) or len(pictures.arrays) > 1


def _write_image(
    root: Any, annotations: Annotations, named: tuple[str, ...], version: Version
) -> None:
    """Write the image's own numbers; colours and several channels become a channel axis."""
    pictures = annotations.pictures
    assert pictures is not None
    components = 3 if any(pictures.rgb) else 1
    order = _places(named)
    shape = [annotations.shape[axis] for axis in order]
    count = components * len(pictures.arrays)
    channel_at = None
    axes = [named[axis] for axis in order]
    if count > 1:
        channel_at = 1 if "t" in named else 0
        shape.insert(channel_at, count)
        axes.insert(channel_at, "c")
    dtype = np.result_type(*(np.dtype(array.dtype) for array in pictures.arrays))
    dtype = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    arrays = [
        _create(root, str(level), size, dtype, tuple(axes), list(range(len(axes))), version)
        for level, size in enumerate(_level_shapes(tuple(shape)))
    ]
    for place in annotations.places:
        where = _moved(place, order)
        for number, plane in enumerate(_raw_planes(annotations, place, components)):
            spot = where
            if channel_at is not None:
                spot = (*where[:channel_at], number, *where[channel_at:])
            smaller = plane.astype(dtype)
            for array in arrays:
                array[spot] = smaller
                smaller = smaller[::2, ::2]
    paths = [str(level) for level in range(len(arrays))]
    metadata = _image_metadata(annotations, named, version, paths, channel_at)
    metadata["omero"] = omero(pictures, components, version)
    _put(root, metadata, version)


def _raw_planes(annotations: Annotations, place: Place, components: int) -> Iterator[NDArray[Any]]:
    pictures = annotations.pictures
    assert pictures is not None
    for array, rgb in zip(pictures.arrays, pictures.rgb, strict=True):
        plane = np.asarray(array[place] if place else array[...])
        for component in range(components):
            yield plane[..., component] if rgb else plane


def _image_metadata(
    annotations: Annotations,
    named: tuple[str, ...],
    version: Version,
    paths: list[str],
    channel_at: int | None = None,
) -> dict[str, Any]:
    order = _places(named)
    detail = multiscales(annotations.name, annotations.space, named, order, paths, version)
    if channel_at is not None:
        detail[0]["axes"].insert(channel_at, axes_detail("c", "pixel"))
        for dataset in detail[0]["datasets"]:
            scale, move = dataset["coordinateTransformations"]
            scale["scale"].insert(channel_at, 1.0)
            move["translation"].insert(channel_at, 0.0)
    return {"multiscales": detail}


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
        _put(labels, {"labels": [*names, LABEL]}, version)
    if consolidated:
        consolidate(path)


# --- shared


def _places(named: tuple[str, ...]) -> list[int]:
    """Return the axes of the labels in the order that OME-Zarr wants."""
    return sorted(range(len(named)), key=lambda axis: _ORDER.index(named[axis]))


def _moved(place: Place, order: list[int]) -> tuple[int, ...]:
    return tuple(place[axis] for axis in order if axis < len(place))


def _level_shapes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    yield shape
    while max(shape[-2:]) > _SMALLEST:
        shape = (*shape[:-2], *(-(-side // 2) for side in shape[-2:]))
        yield shape


def _create(
    group: Any,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    named: tuple[str, ...],
    order: list[int],
    version: Version,
) -> Any:
    chunks = (*(1 for _ in shape[:-2]), *(max(1, min(side, _TILE)) for side in shape[-2:]))
    if version == "0.4":
        from numcodecs import Blosc  # type: ignore[import-untyped]

        return group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            fill_value=0,
            compressors=Blosc(cname="zstd", clevel=5, shuffle=Blosc.SHUFFLE),
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=0,
        dimension_names=[named[axis] for axis in order],
    )


def _put(group: Any, metadata: dict[str, Any], version: Version) -> None:
    """Write metadata where the version has it: beside all else, or under ``ome``."""
    if version == "0.4":
        group.attrs.update(metadata)
    else:
        before = dict(group.attrs).get("ome", {})
        group.attrs["ome"] = before | {"version": version} | metadata


def _notes(annotations: Annotations, named: tuple[str, ...], *, added: bool) -> list[str]:
    space, notes = annotations.space, []
    for axis, letter in zip(space.axes, named, strict=True):
        if axis != letter:
            notes.append(f"The axis {axis!r} has no type in OME-Zarr: it is called {letter}.")
    if _places(named) != list(range(len(named))):
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
    elif _has_no_room(annotations, named):
        notes.append(
            "OME-Zarr has one axis for channels, and the labels take it: the image is left out, "
            "and the group shows the labels' numbers in its place."
        )
    return notes
