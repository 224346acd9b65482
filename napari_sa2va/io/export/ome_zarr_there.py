"""What is there where an OME-Zarr is to be written: an image, an earlier export, or neither."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final, Literal

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.zarr_files import is_zarr_group
from napari_sa2va.io.atomic import is_empty
from napari_sa2va.io.export.ome_zarr_image import image_shape, is_image
from napari_sa2va.io.export.ome_zarr_metadata import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations

Version = Literal["0.4", "0.5"]
LABEL: Final = "sa2va"
"""Name of the group of our labels in an image."""


def mark_of(version: Version) -> str:
    """Return the file that every group of a version has."""
    return ".zgroup" if version == "0.4" else "zarr.json"


def image_there(
    path: Path, annotations: Annotations, named: tuple[str, ...], *, with_image: bool
) -> Version | None:
    """Return the version of the image that labels are added to; None to write a group of our own.

    Parameters
    ----------
    path : Path
    annotations : Annotations
    named : tuple of str
        A letter for each axis of the labels.
    with_image : bool
        Whether the image is written, too. An earlier export of the same objects with all of the
        same channels is replaced by it, unless other programs have put something into it.

    Raises
    ------
    InvalidInput
        If an earlier export without an image has something of other programs in it, or one with
        an image has another than this.
    """
    attributes = _attributes(path)
    newer = "multiscales" in attributes.get("ome", {})
    said = attributes["ome"] if newer else attributes
    if "multiscales" not in said:
        return None
    version: Version = "0.5" if newer else "0.4"
    if OURS not in attributes:
        return version
    levels = _levels(said)
    others = _of_others(path, levels)
    if levels and all(level.startswith("labels/") for level in levels):  # for want of an image
        if others:
            raise InvalidInput(
                f"{path} is an earlier export, and has something of other programs in it: "
                f"{', '.join(others)}. Choose another name, so that it is not lost."
            )
        return None
    if not with_image:
        return version
    array = _first_level(path, levels)
    fits = array is not None and tuple(array.shape) == image_shape(annotations, named)
    known = attributes[OURS]
    if isinstance(known, dict) and annotations.provenance.is_that_of(known):
        return None if fits and not others else version
    if not (fits and is_image(array, annotations, named)):
        whose = (isinstance(known, dict) and known.get("session")) or "other labels"
        raise InvalidInput(
            f"{path} is an earlier export of {whose}, and its image is another one, or has other "
            "channels. Choose another name."
        )
    return version


def check_ours(path: Path, version: Version) -> None:
    """Refuse to replace what is there, unless it is an earlier export of this version.

    Raises
    ------
    InvalidInput
        If it is not.
    """
    if not path.exists() or is_empty(path):
        return
    if OURS not in _attributes(path):
        raise InvalidInput(
            f"{path} is there, and is neither an OME-Zarr image nor an earlier export. Choose "
            "another name."
        )
    if not (path / mark_of(version)).exists():
        other = "0.5" if version == "0.4" else "0.4"
        raise InvalidInput(
            f"{path} is an earlier export as OME-Zarr {other}, which other programs may read. "
            f"Choose that version, or another name for {version}."
        )


def check_size(annotations: Annotations, root: Any, path: Path, named: tuple[str, ...]) -> None:
    """Refuse labels that lie on another image; axes that only one of both has do not count.

    Raises
    ------
    InvalidInput
        If they do, or the image cannot be read.
    """
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


def is_consolidated(path: Path) -> bool:
    """Whether a group holds a copy of all metadata below it, which readers believe."""
    import zarr

    return zarr.open_group(str(path), mode="r").metadata.consolidated_metadata is not None


def consolidate(path: Path) -> None:
    """Write that copy anew: what was added since is not there for those who read it."""
    import zarr

    with warnings.catch_warnings():
        # That the specification of format 3 has no such copy: whoever wrote the first knew it.
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(str(path))


def _attributes(path: Path) -> dict[str, Any]:
    import zarr

    if not is_zarr_group(path):
        return {}
    try:
        return dict(zarr.open_group(str(path), mode="r", use_consolidated=False).attrs)
    except (OSError, ValueError, KeyError, TypeError):  # zarr's own words for a damaged group
        return {}


def _levels(said: Mapping[str, Any]) -> list[str]:
    """Return where the pixels that a group of ours shows are; nothing if it was changed by hand."""
    try:
        return [str(level["path"]) for level in said["multiscales"][0]["datasets"]]
    except (KeyError, TypeError, IndexError):
        return []


def _first_level(path: Path, levels: list[str]) -> Any:
    import zarr

    try:
        array = zarr.open_group(str(path), mode="r", use_consolidated=False)[levels[0]]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    return array if isinstance(array, zarr.Array) else None


def _of_others(path: Path, levels: list[str]) -> list[str]:
    """Return what is in a group of ours beside what we write: labels, tables, notes."""
    ours = {"labels", "zarr.json", *(level.partition("/")[0] for level in levels)}
    found = [one.name for one in path.iterdir() if one.name not in ours]
    folder = path / "labels"
    if folder.is_dir():
        found += [one.name for one in folder.iterdir() if one.is_dir() and one.name != LABEL]
    return sorted(name for name in found if not name.startswith("."))
