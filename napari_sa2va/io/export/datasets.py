"""What the folders for training have in common: a picture per plane, and objects with phrases."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from napari_sa2va.annotation.session.log import json_text
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations, Place
    from napari_sa2va.io.export.pictures import Pictures
    from napari_sa2va.io.export.provenance import Provenance

NOT_KEPT = "Scale and units, scores, colours and the conversation have no place in this format."
MARK: Final = "napari-sa2va.json"
"""By this file we know our own folders again: data.yaml and the like are in everybody's."""


@contextmanager
def dataset_folder(annotations: Annotations, path: Path, kind: str) -> Iterator[Path]:
    """Give an empty folder, which becomes `path` when the block ends well.

    It takes the place of an earlier export of the same session or labels, and of nothing else.

    Parameters
    ----------
    annotations : Annotations
    path : Path
    kind : str
        Name of the format.

    Raises
    ------
    InvalidInput
        If something else is there, or the system refuses to write.
    """
    _check_replaceable(path, kind, annotations.provenance)
    with replacing_folder(path, MARK) as new:
        yield new
        said = {
            "format": kind,
            **annotations.provenance.origin(),
            "files": sorted(_files(new)),
        }
        write_json(new / MARK, said)


def is_earlier_export(path: Path, kind: str, provenance: Provenance) -> bool:
    """Whether a folder is what `dataset_folder` made of the same objects, and holds no more.

    Where another export lies in it, that of the same objects goes beside that.
    """
    try:
        said = json.loads((path / MARK).read_text(encoding="utf-8"))
        known = {MARK, *said["files"]}
        if any(name not in known and not _is_scrap(name) for name in _files(path)):
            return False
        return bool(said["format"] == kind) and provenance.is_that_of(said)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _check_replaceable(path: Path, kind: str, provenance: Provenance) -> None:
    mark = path / MARK
    if not mark.is_file():
        return  # `replacing_folder` refuses what is not empty
    there, otherwise = f"{path} is there, and", "Choose another name, or move it away."
    try:
        said = json.loads(mark.read_text(encoding="utf-8"))
        of_kind, known = said["format"] == kind, {MARK, *said["files"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{mark} cannot be read ({error!r}). {otherwise}") from error
    if not of_kind:
        raise InvalidInput(f"{there} is not a folder that this format writes. {otherwise}")
    if not provenance.is_that_of(said):
        whose = said.get("session") or "other labels"
        raise InvalidInput(f"{there} was exported from {whose}. {otherwise}")
    added = sorted(name for name in _files(path) if name not in known and not _is_scrap(name))
    if added:
        raise InvalidInput(
            f"{there} holds files that were not exported, such as {added[0]}. {otherwise}"
        )


def _files(folder: Path) -> Iterator[str]:
    return (one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file())


def _is_scrap(name: str) -> bool:
    """Whether a file is made anew by who made it: Finder's notes, what Ultralytics has read."""
    return name.rpartition("/")[2].startswith(".") or name.endswith(".cache")


def pictures_needed(annotations: Annotations, what: str) -> Pictures:
    """Return the image's pictures.

    Raises
    ------
    InvalidInput
        If they are not known.
    """
    if annotations.pictures is None:
        raise InvalidInput(
            f"{what} is made of pictures and objects, and the image is not known here. In napari "
            "show the image that the labels lie on; on the command line give it with --image."
        )
    return annotations.pictures


def write_json(path: Path, said: Any) -> None:
    """Write JSON in UTF-8; letters that no encoding knows, as in file names, become marks."""
    path.write_text(json_text(said, indent=1), encoding="utf-8", errors="replace")


def write_picture(annotations: Annotations, place: Place, folder: Path) -> str:
    """Write a plane as it was looked at, as PNG; return its file's name."""
    assert annotations.pictures is not None
    name = f"{annotations.stem(place)}.png"
    Image.fromarray(annotations.pictures.plane(place)).save(folder / name, format="PNG")
    return name
