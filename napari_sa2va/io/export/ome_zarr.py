"""Labels as OME-Zarr 0.4 and 0.5: multiscale, with colours and properties of each label.

https://ngff.openmicroscopy.org/0.4/ and /0.5/: labels lie in the group ``labels`` of an image. A
new folder gets the image, too, where it is known; an OME-Zarr image that is there gets the labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import is_empty, replacing_folder
from napari_sa2va.io.export.annotations import smallest_type
from napari_sa2va.io.export.ome_zarr_metadata import (
    OURS,
    axes_detail,
    image_label,
    multiscales,
    omero,
)
from napari_sa2va.io.export.space import letters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.io.export.annotations import Annotations, Place

Version = Literal["0.4", "0.5"]
LABEL: Final = "sa2va"
"""Name of the group of our labels in an image."""

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
    there = _version_there(path)
    if there is not None and there != version:
        raise InvalidInput(
            f"{path} is an OME-Zarr image of version {there}: choose that version, or another name."
        )
    if there is not None:
        _add_labels(annotations, path, version, named)
        return _notes(annotations, named, added=True)
    mark = _mark(version)
    _check_ours(path, version)
    with replacing_folder(path, mark) as new:
        root = zarr.open_group(str(new), mode="w", zarr_format=2 if version == "0.4" else 3)
        levels = _write_labels(root.create_group(f"labels/{LABEL}"), annotations, named, version)
        _put(root["labels"], {"labels": [LABEL]}, version)
        if annotations.pictures is None:
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
        if "c" in named:
            # The labels have channels of their own: pictures of them cannot have more.
            paths = [
                f"labels/{LABEL}/{level}" for level in range(len(list(_level_shapes(tuple(shape)))))
            ]
            _put(root, _image_metadata(annotations, named, version, paths), version)
            return
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


def _version_there(path: Path) -> Version | None:
    """Return the version of somebody's OME-Zarr image; None where there is none."""
    attributes = _attributes(path)
    if OURS in attributes:
        return None
    if "multiscales" in attributes.get("ome", {}):
        return "0.5"
    return "0.4" if "multiscales" in attributes else None


def _attributes(path: Path) -> dict[str, Any]:
    import zarr

    if not any((path / mark).exists() for mark in ("zarr.json", ".zgroup")):
        return {}
    try:
        return dict(zarr.open_group(str(path), mode="r").attrs)
    except (OSError, ValueError, KeyError, TypeError):  # zarr's own words for a damaged group
        return {}


def _check_ours(path: Path, version: Version) -> None:
    if not path.exists() or is_empty(path):
        return
    if OURS not in _attributes(path):
        raise InvalidInput(
            f"{path} is there, and is neither an OME-Zarr image nor an earlier export. Choose "
            "another name."
        )
    if not (path / _mark(version)).exists():
        other = "0.5" if version == "0.4" else "0.4"
        raise InvalidInput(
            f"{path} is an earlier export as OME-Zarr {other}, which other programs may read. "
            f"Choose that version, or another name for {version}."
        )


def _add_labels(
    annotations: Annotations, path: Path, version: Version, named: tuple[str, ...]
) -> None:
    import zarr

    root = zarr.open_group(str(path), mode="r+")
    _check_size(annotations, root, path, named)
    labels = root.require_group("labels")
    if LABEL in labels and OURS not in dict(labels[LABEL].attrs):
        raise InvalidInput(f"{path} has labels called {LABEL} that are not ours.")
    with replacing_folder(path / "labels" / LABEL, _mark(version)) as new:
        group = zarr.open_group(str(new), mode="w", zarr_format=2 if version == "0.4" else 3)
        _write_labels(group, annotations, named, version)
    said: dict[str, Any] = dict(labels.attrs)
    names = list(said.get("ome", said).get("labels", []))
    if LABEL not in names:
        _put(labels, {"labels": [*names, LABEL]}, version)


def _check_size(annotations: Annotations, root: Any, path: Path, named: tuple[str, ...]) -> None:
    """Refuse labels that lie on another image; axes that only one of both has do not count."""
    said = dict(root.attrs)
    try:
        image = said.get("ome", said)["multiscales"][0]
        axes = [one if isinstance(one, str) else one["name"] for one in image["axes"]]
        lengths = dict(zip(axes, root[image["datasets"][0]["path"]].shape, strict=True))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InvalidInput(f"{path} cannot be read as an OME-Zarr image ({error!r}).") from error
    for axis, length in zip(named, annotations.shape, strict=True):
        if lengths.get(axis, length) != length:
            raise InvalidInput(
                f"{path} has {lengths[axis]:,} positions along {axis}, and the labels {length:,}: "
                "they are of another image. Choose another name."
            )


# --- shared


def _mark(version: Version) -> str:
    """Return the file that every group of a version has."""
    return ".zgroup" if version == "0.4" else "zarr.json"


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
    return notes
