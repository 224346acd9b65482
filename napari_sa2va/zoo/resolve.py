"""From what a user typed to a checkpoint folder on this machine."""

from __future__ import annotations

import re
from os.path import isdir, isfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_sa2va import samples
from napari_sa2va.errors import CheckpointError
from napari_sa2va.zoo import library
from napari_sa2va.zoo.catalogue import CATALOGUE, DEMO, check_supported, find

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[str, float], object]

# Owner and name, as the Hub allows them: no path separators beyond the one, no leading dot.
HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def resolve(
    name: str,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    download: bool = True,
) -> Path:
    """Return the folder of a checkpoint, fetching it from the Hub when it is not here yet.

    An existing folder wins over a Hub id of the same spelling; over a known name, only if it is a
    checkpoint: results may lie in a folder that is called as their model. Neither is asked for
    code: only configuration, safetensors and tokenizer files are fetched.

    Parameters
    ----------
    name : str
        ``"demo"``, a name from the catalogue or one that the user added, a folder, or a Hub id such
        as ``"ByteDance/Sa2VA-InternVL3-2B"``.
    progress : callable, optional
        Called with a message and the fraction downloaded, 0 to 1, from any thread.
    cancelled : callable, optional
        Asked while downloading; true ends it. What is already here is kept for the next time.
    download : bool, default: True
        Whether the network may be used.

    Returns
    -------
    Path
        A folder with ``config.json``.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint, it is not supported, or it cannot be fetched.
    Cancelled
    """
    name = name.strip()
    if not name:
        raise CheckpointError(f"No model is named. {_choices()}")
    if name.casefold() == DEMO:
        return demo_folder()
    if (folder := checkpoint_named(name)) is not None:
        return folder
    known = find(name)
    if known is not None:
        check_supported(known)
    added = None if known is not None else library.load().find(name)
    if known is None and added is None and (folder := folder_named(name)) is not None:
        return checked_folder(folder)  # which says what it lacks
    if added is not None and added.folder:
        return _added_folder(added)
    hub_id = known.hub_id if known is not None else added.where if added is not None else name
    if hub_id is None or not HUB_ID.fullmatch(hub_id):
        raise CheckpointError(f"There is no folder {name!r}, and no Hub id looks so. {_choices()}")
    from napari_sa2va.zoo.hub import fetch

    return checked_folder(fetch(hub_id, progress, cancelled, download=download))


def folder_named(name: str) -> Path | None:
    """Return the folder that a user may mean, or None where there is none that can be looked at.

    ``os.path.isdir`` and not `Path.is_dir`: of a name that is too long, or a drive that does not
    answer, that one raises.
    """
    try:
        folder = Path(name).expanduser()
    except RuntimeError:  # ~somebody whom the system does not know
        return None
    return folder if isdir(folder) else None


def checkpoint_named(name: str) -> Path | None:
    """Return the folder that `resolve` takes a name for, whatever else it may mean, or None."""
    folder = folder_named(name)
    return folder if folder is not None and isfile(folder / "config.json") else None


def demo_folder() -> Path:
    """Return the folder of the demo checkpoint in the package.

    Raises
    ------
    CheckpointError
        If this installation lacks it.
    """
    # Not a zip file: wheels are unpacked, and safetensors maps files into memory.
    folder = samples.demo_folder()
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            "The demo checkpoint is missing from this installation. Install napari-sa2va again."
        )
    return folder


def checked_folder(folder: Path) -> Path:
    """Return a folder that looks like a checkpoint; its contents are read when it is loaded.

    Raises
    ------
    CheckpointError
        If it has no ``config.json``.
    """
    if not isfile(folder / "config.json"):
        raise CheckpointError(
            f"{folder} has no config.json, so it is not a checkpoint folder. Choose the folder "
            "that holds config.json and the .safetensors files."
        )
    return folder


def _added_folder(added: library.Added) -> Path:
    folder = Path(added.where)
    if not isdir(folder):
        raise CheckpointError(
            f"{added.name} is the folder {folder}, which is not there now. Connect its drive, or "
            f"take it off the list: `napari-sa2va models remove {added.name!r}`."
        )
    return checked_folder(folder)


def _choices() -> str:
    names = ", ".join(c.name for c in CATALOGUE if c.unsupported is None)
    return f"Choose one of {names}, a folder, or a Hub id such as {CATALOGUE[1].hub_id}."
