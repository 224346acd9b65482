"""What was written about an image before."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sa2va.annotation.session.errors import SessionDamaged
from napari_sa2va.annotation.session.files import LOCK, LOG, SESSION, SUFFIX, read_head
from napari_sa2va.annotation.session.lock import is_held
from napari_sa2va.annotation.session.log import read_lines
from napari_sa2va.annotation.session.places import folders_for, name_for

if TYPE_CHECKING:
    from napari_sa2va.annotation.session.about import About, ImageInfo


def earlier_session(about: About, new: Path, folder: Path | None = None) -> Path | None:
    """Return the session of the same file or sample that was written last; None for none.

    Sessions in which nothing happened do not count, nor do those that are being written.

    Parameters
    ----------
    about : About
        Which image.
    new : Path
        The session that was just begun.
    folder : Path, optional
        As of `begin_session`.
    """
    image = about.images[0] if about.images else None
    if image is None or not (image.path or image.sample):
        return None
    named = re.compile(rf"{re.escape(name_for(about))}(-\d+)?{re.escape(SUFFIX)}")
    known: list[tuple[float, Path]] = []
    for place in [folder] if folder else folders_for(image.path):
        try:
            found = [path for path in place.iterdir() if named.fullmatch(path.name)]
            known += [((path / SESSION).stat().st_mtime, path) for path in found if path != new]
        except OSError:  # the place is not there, or a folder is no session
            continue
    for _, path in sorted(known, reverse=True):
        if _is_about(path, image) and not is_held(path / LOCK):
            return path
    return None


def _is_about(path: Path, image: ImageInfo) -> bool:
    """Whether a session is about an image, and has anything to bring back."""
    try:
        head = read_head(path)
        if not any(_is_same(image, other, path) for other in head.about.images):
            return False
        # The first entry says that it was begun.
        return head.rows.n > 1 or any(
            line.entry is not None and line.entry.n > 1 for line in read_lines(path / LOG)
        )
    except (OSError, SessionDamaged):
        return False


def _is_same(image: ImageInfo, other: ImageInfo, session: Path) -> bool:
    if image.sample or other.sample:
        return image.sample == other.sample
    found = other.found_from(session)
    return found is not None and found.absolute() == Path(image.path).absolute()
