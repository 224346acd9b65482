"""What the user added by name, and which commit of each checkpoint was fetched.

One small JSON file in the plugin's data folder, the same for all environments of a user, and for
the dock and the command line.
"""

from __future__ import annotations

import json
import logging
import os
import re
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from filelock import Timeout

from napari_sa2va.errors import CheckpointError, InvalidInput
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.data_folder import data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOG: Final = logging.getLogger(__name__)
_FILE: Final = "models.json"
_LOCK_SECONDS: Final = 5.0
_NAME: Final = re.compile(r"[^\W_][\w .+-]{0,79}")


@dataclass(frozen=True, slots=True)
class Added:
    """A checkpoint that the user named.

    Attributes
    ----------
    name : str
    where : str
        A folder, or a Hub id.
    folder : bool
        Which of the two.
    """

    name: str
    where: str
    folder: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched from the Hub, checked, and is used until another commit is asked for.

    Attributes
    ----------
    commit : str
        The Hub's commit, 40 hexadecimal digits.
    revision : str
        The branch or tag it was found by.
    files : tuple of str
        Names of all files.
    source : str
        Address of the Hub or mirror.
    when : str
        Date and time, ISO 8601 in UTC.
    license : str
        As the model card names it; empty where it does not.
    """

    commit: str
    revision: str
    files: tuple[str, ...]
    source: str
    when: str
    license: str = ""


@dataclass(slots=True)
class Library:
    """The file's content; names of `added` without regard to upper and lower case."""

    added: dict[str, Added] = field(default_factory=dict)
    fetched: dict[str, Fetched] = field(default_factory=dict)

    def find(self, name: str) -> Added | None:
        """Return what the user called so, or None."""
        return self.added.get(name.strip().casefold())


def library_path() -> Path:
    """Return where the file is, whether or not it is there yet."""
    return data_folder() / _FILE


def load() -> Library:
    """Read the file; what is missing or damaged counts as not there."""
    try:
        said = json.loads(library_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Library()
    library = Library()
    said = said if isinstance(said, dict) else {}
    for one in _entries(said, "added"):
        try:
            added = Added(str(one["name"]), str(one["where"]), bool(one["folder"]))
        except KeyError:
            continue
        library.added[added.name.casefold()] = added
    for one in _entries(said, "fetched"):
        try:
            files = tuple(str(name) for name in one["files"])
            texts = {key: str(one[key]) for key in ("commit", "revision", "source", "when")}
            texts["license"] = str(one.get("license", ""))
            library.fetched[str(one["hub_id"])] = Fetched(files=files, **texts)
        except (KeyError, TypeError):
            continue
    return library


def remember(name: str, where: str, *, folder: bool) -> Added:
    """Add a checkpoint by name; the name then works wherever a model is asked for.

    Raises
    ------
    CheckpointError
        If the name is no name, or is taken.
    InvalidInput
        If the file cannot be written.
    """
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise CheckpointError(
            f"{name!r} cannot be a model's name. Choose letters, digits, spaces and . + - _ "
            "(80 at most, a letter or digit first)."
        )
    with _changed() as library:
        taken = library.find(name)
        if taken is not None:
            raise CheckpointError(
                f"{taken.name} is already the name of {taken.where}. Choose another name, or take "
                f"it off the list first: `napari-sa2va models remove {taken.name!r}`."
            )
        added = Added(name, where, folder)
        library.added[name.casefold()] = added
    return added


def forget(name: str) -> Added | None:
    """Take a name off the list; the checkpoint itself stays where it is."""
    if load().find(name) is None:
        return None
    with _changed() as library:
        return library.added.pop(name.strip().casefold(), None)


def note_fetched(hub_id: str, fetched: Fetched | None) -> None:
    """Note what was fetched, or with None that it was removed.

    A disk that refuses is no matter: the cache itself knows the last commit, too.
    """
    try:
        with _changed() as library:
            if fetched is None:
                library.fetched.pop(hub_id, None)
            else:
                library.fetched[hub_id] = fetched
    except InvalidInput as error:
        _LOG.warning("%s", error)


@contextmanager
def _changed() -> Iterator[Library]:
    """Give the list as it is now, to be written back; meanwhile other processes wait.

    Where nothing can be locked, or another holds the lock for long, it is written all the same.
    """
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    path = library_path()
    with ExitStack() as held:
        with suppress(Timeout, OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.with_name(f".{path.name}.lock")
            held.enter_context(WeakFileLock(lock, timeout=_LOCK_SECONDS))
        library = load()
        yield library
        _keep_damaged(path)
        _save(library)


def _keep_damaged(path: Path) -> None:
    """Put a file that is no JSON aside: somebody may want to mend what it held."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        aside = path.with_name(f"{path.name}.damaged")
        with suppress(OSError):
            os.replace(path, aside)
            _LOG.warning("%s is damaged and was kept as %s; a new list is begun.", path, aside)
    except OSError:
        return


def _save(library: Library) -> None:
    said = {
        "added": [asdict(added) for added in library.added.values()],
        "fetched": [{"hub_id": key} | asdict(one) for key, one in library.fetched.items()],
    }
    with replacing(library_path()) as temporary:
        temporary.write_text(json.dumps(said, indent=1, ensure_ascii=False), encoding="utf-8")


def _entries(said: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = said.get(key)
    return [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
