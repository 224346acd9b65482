"""What is there where an OME-Zarr is to be written: an image, an earlier export, or neither."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final, Literal

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.zarr_files import is_zarr_group
from napari_sa2va.io.atomic import is_empty
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


def image_there(path: Path, *, with_image: bool) -> Version | None:
    """Return the version of the image that labels are added to; None to write a group of our own.

    Parameters
    ----------
    path : Path
    with_image : bool
        Whether the image is written, too. An earlier export with the image is kept where the next
        one has none, or where other programs have put labels into it.

    Raises
    ------
    InvalidInput
        If an earlier export without an image has labels of other programs.
    """
    attributes = _attributes(path)
    newer = "multiscales" in attributes.get("ome", {})
    said = attributes["ome"] if newer else attributes
    if "multiscales" not in said:
        return None
    version: Version = "0.5" if newer else "0.4"
    if OURS not in attributes:
        return version
    others = _other_labels(path)
    if _has_pixels(said):
        return version if others or not with_image else None
    if others:
        raise InvalidInput(
            f"{path} is an earlier export, and has labels of other programs in it: "
            f"{', '.join(others)}. Choose another name, so that they are not lost."
        )
    return None


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


def _has_pixels(said: Mapping[str, Any]) -> bool:
    """Whether a group of ours shows an image, and not its labels for want of one."""
    try:
        paths = [str(level["path"]) for level in said["multiscales"][0]["datasets"]]
    except (KeyError, TypeError, IndexError):  # changed by hand
        return True
    return not any(one.startswith("labels/") for one in paths)


def _other_labels(path: Path) -> list[str]:
    folder = path / "labels"
    if not folder.is_dir():
        return []
    names = (one.name for one in folder.iterdir() if one.is_dir())
    return sorted(name for name in names if name != LABEL and not name.startswith("."))
