"""The arrays and metadata that a group of OME-Zarr is made of, for both versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from napari_sa2va.io.export.annotations import Place
    from napari_sa2va.io.export.ome_zarr_there import Version

_ORDER: Final = "tczyx"
_TILE: Final = 1024
_SMALLEST: Final = 256


def array_order(named: tuple[str, ...]) -> list[int]:
    """Return the axes of the labels in the order that OME-Zarr wants."""
    return sorted(range(len(named)), key=lambda axis: _ORDER.index(named[axis]))


def moved(place: Place, order: list[int]) -> tuple[int, ...]:
    """Return where a plane of the labels is in an array of that order."""
    return tuple(place[axis] for axis in order if axis < len(place))


def level_shapes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Go through the sizes of the levels, from the full resolution on."""
    yield shape
    while max(shape[-2:]) > _SMALLEST:
        shape = (*shape[:-2], *(-(-side // 2) for side in shape[-2:]))
        yield shape


def create_level(
    group: Any,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    named: tuple[str, ...],
    order: list[int],
    version: Version,
) -> Any:
    """Make an array in a group, a chunk of which is at most a plane."""
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


def put_metadata(group: Any, metadata: dict[str, Any], version: Version) -> None:
    """Write metadata where the version has it: beside all else, or under ``ome``."""
    if version == "0.4":
        group.attrs.update(metadata)
    else:
        before = dict(group.attrs).get("ome", {})
        group.attrs["ome"] = before | {"version": version} | metadata
