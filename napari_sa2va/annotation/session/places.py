"""Where sessions are kept, and which were written last."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_sa2va.annotation.session.about import About, ImageInfo
from napari_sa2va.annotation.session.errors import CannotRecord
from napari_sa2va.annotation.session.files import LOCK
from napari_sa2va.annotation.session.folder import create_session
from napari_sa2va.annotation.session.lock import ended_badly
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.data_folder import data_folder

if TYPE_CHECKING:
    from napari_sa2va.annotation.session.folder import Session

_RECENT: Final = "recent-sessions.json"
_MOST_RECENT: Final = 30


def default_folder() -> Path:
    """Return the folder of sessions whose image has no folder that can be written."""
    return data_folder() / "sessions"


def session_name(name: str) -> str:
    """Return a name for a session's folder that every system takes."""
    plain = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", name).strip(" ._")[:80]
    return plain or "image"


def folders_for(image: str) -> list[Path]:
    """Return where the session of an image file may go, the best place first.

    Parameters
    ----------
    image : str
        Path of the file, or of a folder such as an OME-Zarr; empty for none.
    """
    beside = [Path(image).absolute().parent] if image and Path(image).exists() else []
    return [*beside, default_folder()]


def name_for(about: About) -> str:
    """Return what the session of an image is called."""
    image = _image_of(about)
    return session_name(Path(image.path).stem or image.name)


def begin_session(about: About, folder: Path | None = None) -> Session:
    """Make a session, named after its image, in the best place that can be written.

    Parameters
    ----------
    about : About
        Which image and layer.
    folder : Path, optional
        The only place, if given.

    Raises
    ------
    CannotRecord
        There is no such place.
    """
    name = name_for(about)
    *others, last = [folder] if folder else folders_for(_image_of(about).path)
    for place in others:
        with suppress(CannotRecord):
            return create_session(place, name, about)
    return create_session(last, name, about)


def _image_of(about: About) -> ImageInfo:
    return about.images[0] if about.images else ImageInfo(about.labels.name)


def note_recent(session: Path) -> None:
    """Put a session at the top of those that were written last; a disk that refuses is no matter.

    Of two processes that do so at once, one may be forgotten.
    """
    path = session.absolute()
    sessions = [path, *(other for other in recent_sessions() if other != path)]
    with suppress(InvalidInput), replacing(data_folder() / _RECENT) as temporary:
        temporary.write_text(
            json.dumps([str(one) for one in sessions[:_MOST_RECENT]], indent=1), encoding="utf-8"
        )


def recent_sessions() -> list[Path]:
    """Return the sessions that were written last, newest first; those that are gone left out."""
    try:
        said = json.loads((data_folder() / _RECENT).read_text(encoding="utf-8"))
        return [path for path in map(Path, said) if path.is_dir()]
    except (OSError, ValueError, TypeError):
        return []


def crashed_sessions() -> list[Path]:
    """Return those of them whose process was killed, newest first."""
    return [path for path in recent_sessions() if ended_badly(path / LOCK)]
