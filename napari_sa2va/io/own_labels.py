"""Labels that are there, and which command wrote them: those of others are not written over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import tifffile

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import is_empty

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN_BY: Final = "written_by"
"""Where the attributes of a zarr array name the command; a TIFF has the tag Software for it."""


def check_own(path: Path, command: str) -> None:
    """Refuse to write labels over any but those of the same command.

    A TIFF that was saved anew, as after a correction, no longer names it.

    Parameters
    ----------
    path : Path
        A TIFF, or the folder of a zarr array, which need not be there.
    command : str
        As the labels name it that it wrote.

    Raises
    ------
    InvalidInput
        If something else is there.
    """
    if path.exists() and not is_empty(path) and _writer(path) != command:
        raise InvalidInput(
            f"{path} is there, and was not written by `{command}`: it may hold labels that were "
            "corrected. Choose another --output, or move it away."
        )


def _writer(path: Path) -> str:
    """Return what wrote labels; empty where they do not say."""
    try:
        if path.is_dir():
            said = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
            return str(said["attributes"][WRITTEN_BY])
        with tifffile.TiffFile(path) as tif:
            return str(tif.pages.first.software)
    except Exception:  # of another kind, or damaged, for which every decoder has errors of its own
        return ""
