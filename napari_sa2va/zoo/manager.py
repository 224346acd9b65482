"""What can be done with a model by its name: fetch, find, remove and add it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from huggingface_hub import constants

from napari_sa2va.errors import CheckpointError, InvalidInput
from napari_sa2va.zoo import library
from napari_sa2va.zoo.before_download import CHECKPOINT
from napari_sa2va.zoo.cache import Repository
from napari_sa2va.zoo.catalogue import DEMO, check_supported, find
from napari_sa2va.zoo.fit import estimate
from napari_sa2va.zoo.hub import fetch_files, local_copy
from napari_sa2va.zoo.resolve import HUB_ID, folder_named, resolve
from napari_sa2va.zoo.sam2 import SAM2_HUB_ID, SAM2_NAME, WANTED, is_sam2, sam2_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sa2va.zoo.hub import Report


@dataclass(frozen=True, slots=True)
class Removed:
    """What `remove_model` did.

    Attributes
    ----------
    freed : int
        Bytes.
    unlisted : str
        The name that was taken off the list; empty for none.
    kept : str
        The user's folder, which is left alone; empty for none.
    """

    freed: int = 0
    unlisted: str = ""
    kept: str = ""


def get_model(
    name: str,
    report: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    revision: str | None = None,
    update: bool = False,
    endpoint: str | None = None,
) -> Path:
    """Have a model on this machine, and return where.

    Parameters
    ----------
    name : str
        A name of the list, a Hub id, or ``"sam2"`` for SAM 2.0's file.
    report, cancelled, endpoint
        As in `napari_sa2va.zoo.hub.fetch_files`.
    revision : str, optional
        A branch, tag or commit to use from now on.
    update : bool
        Ask for the newest commit, and check all files, even where a whole copy is here.

    Returns
    -------
    Path
        The folder; of SAM 2.0's file, the file.

    Raises
    ------
    CheckpointError
        If it cannot be had; a `DownloadError` says why.
    Cancelled
    """
    if is_sam2(name):
        revision = revision or ("main" if update else None)
        return sam2_file(report, cancelled, revision=revision, endpoint=endpoint)
    hub_id = hub_id_of(name)
    if hub_id is None:
        return resolve(name, download=False)
    known = find(hub_id)
    if known is not None:
        check_supported(known)
    here = None if update or revision else local_copy(hub_id)
    if here is not None:
        return here
    return fetch_files(
        hub_id, revision=revision, report=report, cancelled=cancelled, endpoint=endpoint
    )


def repair_model(
    name: str,
    report: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    endpoint: str | None = None,
) -> tuple[str, ...]:
    """Check all files of a model against the Hub's checksums, and fetch anew what is not right.

    The version stays the one that is here, so that results do not change.

    Parameters
    ----------
    name, report, cancelled, endpoint
        As in `get_model`.

    Returns
    -------
    tuple of str
        Names of the files that were damaged or missing, and are right now.

    Raises
    ------
    InvalidInput
        If no Hub has the files: of the demo, and of a folder of the user's.
    CheckpointError
        If they cannot be had; a `DownloadError` says why.
    Cancelled
    """
    hub_id = SAM2_HUB_ID if is_sam2(name) else hub_id_of(name)
    if hub_id is None:
        raise InvalidInput(
            "The demo checkpoint is part of the package: install napari-sa2va again to repair it."
            if name.strip().casefold() == DEMO
            else f"{name} is a folder of your own. Copy it here again from where it came from."
        )
    before = library.load().fetched.get(hub_id)
    commit = Repository(hub_id).commit_of(constants.DEFAULT_REVISION)
    brought: list[str] = []
    fetch_files(
        hub_id,
        revision=before.commit if before is not None else commit,
        wanted=WANTED if is_sam2(name) else CHECKPOINT,
        report=report,
        cancelled=cancelled,
        endpoint=endpoint,
        brought=brought.append,
    )
    now = library.load().fetched.get(hub_id)
    if before is not None and now is not None:  # it was asked for by its commit just now
        library.note_fetched(hub_id, replace(now, revision=before.revision))
    return tuple(brought)


def model_path(name: str) -> Path:
    """Return where a model is on this machine; nobody is asked.

    Raises
    ------
    CheckpointError
        If it is not here.
    """
    if is_sam2(name):
        return sam2_file(download=False)
    try:
        return resolve(name, download=False)
    except CheckpointError as error:
        if hub_id_of(name) is None:
            raise
        raise CheckpointError(f"{error} Fetch it: `napari-sa2va models get {name}`.") from error


def remove_model(name: str) -> Removed:
    """Delete what was downloaded of a model, and take an added name off the list.

    A folder of the user's is never deleted.

    Raises
    ------
    InvalidInput
        If there is nothing to remove.
    DownloadError
        If the disk refuses.
    """
    added = library.load().find(name)
    if added is not None and added.folder:
        library.forget(name)
        return Removed(unlisted=added.name, kept=added.where)
    hub_id = SAM2_HUB_ID if is_sam2(name) else hub_id_of(name)
    if hub_id is None:
        raise InvalidInput(
            "The demo checkpoint is part of the package and stays."
            if name.strip().casefold() == DEMO
            else f"{name!r} is a folder that is not on the list. It is yours to delete."
        )
    repository = Repository(hub_id)
    if added is None and not repository.folder.is_dir():
        raise InvalidInput(f"There is nothing of {name} on this machine.")
    freed = repository.remove()
    library.note_fetched(hub_id, None)
    if added is not None:
        library.forget(name)
    return Removed(freed, added.name if added is not None else "")


def add_model(name: str, where: str) -> library.Added:
    """Put a folder or a Hub id on the list, under a name.

    A folder is looked into; a Hub id is not asked for before `get_model`.

    Raises
    ------
    CheckpointError
        If the folder holds no checkpoint that this version reads, it is neither a folder nor a Hub
        id, or the name is taken.
    InvalidInput
        If the list cannot be written.
    """
    if find(name) is not None or is_sam2(name):
        raise CheckpointError(f"{name} is the name of a known model. Choose another one.")
    where = where.strip()
    folder = folder_named(where)
    if folder is not None:
        estimate(folder, "float32")
        return library.remember(name, str(folder.absolute()), folder=True)
    if not HUB_ID.fullmatch(where):
        raise CheckpointError(
            f"There is no folder {where!r}, and no Hub id looks so. Give the folder that holds "
            "config.json, or an id such as ByteDance/Sa2VA-4B."
        )
    return library.remember(name, where, folder=False)


def hub_id_of(name: str) -> str | None:
    """Return the Hub id that a name stands for, or None for the demo and for folders.

    Raises
    ------
    CheckpointError
        If it stands for nothing.
    """
    name = name.strip()
    known = find(name)
    if known is not None:
        return known.hub_id
    added = library.load().find(name)
    if added is not None:
        return None if added.folder else added.where
    if folder_named(name) is not None:
        return None
    if HUB_ID.fullmatch(name):
        return name
    raise CheckpointError(
        f"There is no model {name!r}. `napari-sa2va models list` shows what there is; a folder or "
        f"a Hub id works, too, and {SAM2_NAME} is SAM 2.0's file."
    )
