"""Fetching from the Hugging Face Hub into its cache: data only, never code."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import Timeout
from huggingface_hub import constants, hf_hub_url
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import WeakFileLock, validate_repo_id  # type: ignore[attr-defined]

from napari_sa2va.errors import CheckpointError
from napari_sa2va.zoo import library
from napari_sa2va.zoo.before_download import (
    CHECKPOINT,
    SAFE_FILES,
    Wanted,
    check_config,
    check_kind,
    check_room,
    in_order,
)
from napari_sa2va.zoo.cache import CONFIG, Repository, cache_folder
from napari_sa2va.zoo.download_errors import (
    NotOnHub,
    not_written,
    offline,
)
from napari_sa2va.zoo.listing import Listing, RemoteFile, ask
from napari_sa2va.zoo.meter import DownloadState, Meter
from napari_sa2va.zoo.patience import Patience
from napari_sa2va.zoo.resolve import HUB_ID
from napari_sa2va.zoo.transfer import matches, remove, transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Progress = Callable[[str, float], object]
    Report = Callable[[DownloadState], object]

_REVISION: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*")
# Between two looks at whether the user cancelled, while another program has the lock.
_LOCK_SECONDS: Final = 0.5


def fetch(
    hub_id: str,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    download: bool = True,
    endpoint: str | None = None,
) -> Path:
    """Return the local folder of a Hub checkpoint, downloading what is not here yet.

    A whole copy on this machine is used without asking the Hub for a newer one, so that results
    do not change from one day to the next, and no network is needed.

    Parameters
    ----------
    hub_id : str
        ``owner/name``.
    progress, cancelled, download
        As in `napari_sa2va.zoo.resolve.resolve`.
    endpoint : str, optional
        Address of another Hub than the one huggingface_hub is set to.

    Raises
    ------
    CheckpointError
        Not here, and downloads are off; or a `DownloadError`, which says what went wrong.
    Cancelled
    """
    here = local_copy(hub_id)
    if here is not None:
        return here
    if not download:
        raise CheckpointError(f"{hub_id} is not on this machine.")

    def report(state: DownloadState) -> None:
        if progress is not None:
            progress(state.text, state.fraction)

    return fetch_files(hub_id, report=report, cancelled=cancelled, endpoint=endpoint)


def local_copy(hub_id: str, wanted: Wanted = CHECKPOINT) -> Path | None:
    """Return the folder of a whole copy in the cache, or None; nothing is written, nobody asked.

    The commit that was fetched last through this package wins over what other programs fetched.
    """
    if _why_no_id(hub_id) is not None:
        return None
    repository = Repository(hub_id)
    fetched = library.load().fetched.get(hub_id)
    if fetched is not None:
        folder = repository.whole(fetched.commit, fetched.files, checkpoint=wanted.checkpoint)
        if folder is not None:
            return folder
    commit = repository.commit_of(constants.DEFAULT_REVISION)
    if commit is None:
        return None
    names = _listed_by_others(repository, commit) if wanted.checkpoint else wanted.patterns
    return repository.whole(commit, names, checkpoint=wanted.checkpoint)


def fetch_files(
    hub_id: str,
    *,
    revision: str | None = None,
    wanted: Wanted = CHECKPOINT,
    report: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
    endpoint: str | None = None,
    brought: Callable[[str], object] | None = None,
) -> Path:
    """Bring a repository's data files into the cache, each checked against its checksum.

    What is there already is checked, too, and fetched again if it is damaged. What has arrived
    when it fails or is cancelled is kept, and gone on from the next time.

    Parameters
    ----------
    hub_id : str
        ``owner/name``.
    revision : str, optional
        A branch, a tag or a commit; the newest of the main branch by default. The commit found is
        noted, and is what `fetch` uses from then on.
    wanted : Wanted
    report : callable, optional
        Told how far it is.
    cancelled, endpoint
        As in `fetch`.
    brought : callable, optional
        Told the name of each file that was missing or damaged, once it is here and right.

    Returns
    -------
    Path
        The snapshot's folder.

    Raises
    ------
    DownloadError
        Of the kind that tells what is wrong.
    CheckpointError
        If it is a checkpoint that this version cannot read.
    Cancelled
    """
    wrong = _why_no_id(hub_id)
    if wrong is not None:
        raise NotOnHub(f"{hub_id!r} is no Hub id: {wrong}")
    branch = revision or constants.DEFAULT_REVISION
    if not _REVISION.fullmatch(branch):
        raise NotOnHub(f"{branch!r} is no revision: a branch, a tag or a commit is wanted.")
    if constants.is_offline_mode():
        raise offline(hub_id)
    meter: Meter | None = None
    patience = Patience(hub_id, cancelled, lambda note: meter.say(note) if meter else None)
    patience.look()
    listing = ask(hub_id, wanted.patterns, patience, branch, endpoint)
    check_kind(listing, wanted)
    repository = Repository(hub_id)
    check_room(repository, listing)
    files = in_order(listing.files)
    meter = Meter(hub_id, files, report)
    for file in files:
        held = repository.held(file, listing.commit)
        meter.has(file.name, file.size if held else repository.arrived(file))
    for file in files:
        meter.start(file.name)
        with _locked(repository, file, patience, meter):
            blob, anew = _bring(repository, file, listing, patience, meter, endpoint)
        if anew and brought is not None:
            brought(file.name)
        if file.name == CONFIG and wanted.checkpoint:
            check_config(blob, hub_id)
    folder = repository.publish(files, listing.commit, branch)
    fetched = library.Fetched(
        listing.commit,
        branch,
        tuple(file.name for file in files),
        endpoint or constants.ENDPOINT,
        datetime.now(UTC).isoformat(timespec="seconds"),
        listing.license,
    )
    library.note_fetched(hub_id, fetched)
    return folder


def _why_no_id(hub_id: str) -> str | None:
    if not HUB_ID.fullmatch(hub_id):
        return "owner/name is wanted."
    try:
        validate_repo_id(hub_id)
    except HFValidationError as error:
        return str(error)
    return None


def _bring(
    repository: Repository,
    file: RemoteFile,
    listing: Listing,
    patience: Patience,
    meter: Meter,
    endpoint: str | None,
) -> tuple[Path, bool]:
    """Have a file in the cache, checked; return whether it had to be fetched, too."""
    held = repository.held(file, listing.commit)
    if held is not None:
        if matches(held, file, patience, meter.checked):
            meter.arrived(file.size)  # another program may have brought it meanwhile
            return held, False
        remove(held)
        meter.arrived(0)
    url = hf_hub_url(listing.hub_id, file.name, revision=listing.commit, endpoint=endpoint)
    partial, blob = repository.partial(file), repository.blob(file)
    transfer(url, file, partial, patience, meter.arrived, meter.checked)
    try:
        partial.replace(blob)
    except OSError as error:
        raise not_written(listing.hub_id, blob.parent, error) from error
    return blob, True


@contextmanager
def _locked(
    repository: Repository, file: RemoteFile, patience: Patience, meter: Meter
) -> Iterator[None]:
    """Keep other processes from fetching the same file at the same time."""
    lock = repository.lock(file)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        repository.blob(file).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(repository.hub_id, cache_folder(), error) from error
    while True:
        context = WeakFileLock(lock, timeout=_LOCK_SECONDS)
        try:
            context.__enter__()
        except Timeout:
            meter.say("waiting for another program that fetches the same file")
            patience.look()
            continue
        except OSError as error:
            raise not_written(repository.hub_id, cache_folder(), error) from error
        break
    try:
        yield
    finally:
        context.__exit__(None, None, None)


def _listed_by_others(repository: Repository, commit: str) -> list[str]:
    """Return which of our files there are by huggingface_hub's note of a commit, if it has one."""
    note = repository.folder / "trees" / f"{commit}.json"
    try:
        names = json.loads(note.read_text(encoding="utf-8"))["files"]
        return [
            name
            for name in names
            if any(Path(name).match(p) for p in SAFE_FILES) and "/" not in name
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
