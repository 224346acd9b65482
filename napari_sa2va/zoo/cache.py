"""The Hub's cache on this machine: where its files are, and how a checkpoint gets into it.

The layout is huggingface_hub's (its guide "Understand caching"): a folder for each repository with
``blobs``, files under their checksums; ``snapshots/<commit>``, links to them under their names; and
``refs``, which commit a branch was at. A snapshot gets its links when all its files are there and
checked, ``config.json`` last, so that half a checkpoint is never taken for one.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from huggingface_hub import constants, scan_cache_dir
from huggingface_hub.errors import CacheNotFound
from huggingface_hub.file_download import repo_folder_name

from napari_sa2va.model.shards import INDEX, SINGLE
from napari_sa2va.zoo.download_errors import not_written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sa2va.zoo.listing import RemoteFile

CONFIG: Final = "config.json"
_PARTIAL: Final = ".incomplete"


@dataclass(frozen=True, slots=True)
class Repository:
    """The place of one Hub id in the cache; it may not be there yet.

    Attributes
    ----------
    hub_id : str
        ``owner/name``.
    """

    hub_id: str

    @property
    def folder(self) -> Path:
        """Where everything of it is."""
        return cache_folder() / repo_folder_name(repo_id=self.hub_id, repo_type="model")

    def blob(self, file: RemoteFile) -> Path:
        """Return where a file is kept under its checksum."""
        return self.folder / "blobs" / file.digest

    def partial(self, file: RemoteFile) -> Path:
        """Return where what has arrived of a file is collected."""
        return self.folder / "blobs" / f"{file.digest}{_PARTIAL}"

    def lock(self, file: RemoteFile) -> Path:
        """Return the lock that huggingface_hub takes, too, while it fetches this file."""
        return cache_folder() / ".locks" / self.folder.name / f"{file.digest}.lock"

    def snapshot(self, commit: str) -> Path:
        """Return the checkpoint's folder at a commit."""
        return self.folder / "snapshots" / commit

    def commit_of(self, revision: str) -> str | None:
        """Return the commit that a branch or tag was at when it was fetched, or None."""
        try:
            return (self.folder / "refs" / revision).read_text(encoding="ascii").strip() or None
        except (OSError, ValueError):
            return revision if self.snapshot(revision).is_dir() else None

    def held(self, file: RemoteFile, commit: str) -> Path | None:
        """Return where a whole file of this size is already, or None; its bytes are not read."""
        # Where the system has no links, files lie in the snapshot itself.
        for path in (self.blob(file), self.snapshot(commit) / file.name):
            with suppress(OSError):
                if path.stat().st_size == file.size:
                    return path
        return None

    def arrived(self, file: RemoteFile) -> int:
        """Return how many bytes of a file have arrived."""
        try:
            return min(self.partial(file).stat().st_size, file.size)
        except OSError:
            return 0

    def publish(self, files: Iterable[RemoteFile], commit: str, revision: str) -> Path:
        """Make the snapshot of files that are all there, and note the branch's commit.

        Raises
        ------
        DownloadError
            If the disk refuses.
        """
        folder = self.snapshot(commit)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            left = sorted(files, key=lambda file: file.name == CONFIG)
            while left:
                file = left.pop(0)
                again = any(other.digest == file.digest for other in left)
                _link(self.blob(file), folder / file.name, again=again)
            if revision != commit:
                note = self.folder / "refs" / revision
                note.parent.mkdir(parents=True, exist_ok=True)
                fresh = note.with_name(f"{note.name}.{os.getpid()}")
                fresh.write_text(commit, encoding="ascii")
                os.replace(fresh, note)
        except OSError as error:
            raise not_written(self.hub_id, folder, error) from error
        return folder

    def whole(self, commit: str, names: Iterable[str], *, checkpoint: bool) -> Path | None:
        """Return the snapshot of a commit if nothing is missing from it, or None.

        Parameters
        ----------
        commit : str
        names : iterable of str
            Files that must be there.
        checkpoint : bool
            Whether a configuration and weights must be there, too.
        """
        folder = self.snapshot(commit)
        needed = {*names, *([CONFIG, *_weight_files(folder)] if checkpoint else [])}
        return folder if all((folder / name).is_file() for name in needed) else None

    def size(self) -> int:
        """Return the bytes on the disk, those of unfinished downloads included."""
        total = 0
        for root, _, names in os.walk(self.folder):
            for name in names:
                path = Path(root) / name
                with suppress(OSError):
                    total += 0 if path.is_symlink() else path.stat().st_size
        return total

    def remove(self) -> int:
        """Delete everything of it, unfinished downloads included; return the bytes freed.

        Raises
        ------
        DownloadError
            If the disk refuses.
        """
        size = self.size()
        try:
            # huggingface_hub knows of files that several repositories share.
            for known in scan_cache_dir(cache_folder()).repos:
                if known.repo_id == self.hub_id and known.repo_type == "model":
                    commits = [revision.commit_hash for revision in known.revisions]
                    scan_cache_dir(cache_folder()).delete_revisions(*commits).execute()
        except (CacheNotFound, OSError):
            pass  # what is left goes now, or says why not
        for folder in (self.folder, cache_folder() / ".locks" / self.folder.name):
            try:
                if folder.is_dir():
                    shutil.rmtree(folder)
            except OSError as error:
                raise not_written(self.hub_id, folder, error) from error
        return size


def cache_folder() -> Path:
    """Return the Hub's cache, whether or not it is there yet."""
    return Path(constants.HF_HUB_CACHE).expanduser()


def existing(place: Path) -> Path:
    """Return a folder, or the nearest one above it that is there.

    On a drive that is not there, which Windows has, it is the drive.
    """
    while not os.path.exists(place) and place != place.parent:
        place = place.parent
    return place


def _weight_files(folder: Path) -> set[str]:
    if (folder / SINGLE).is_file():
        return {SINGLE}
    try:
        listed = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
        return {str(name) for name in listed.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {SINGLE}


def _link(blob: Path, name: Path, *, again: bool) -> None:
    """Give a checked file its name, in one step.

    Parameters
    ----------
    blob, name : Path
    again : bool
        Another name of the same file comes after this one.
    """
    if not blob.exists():
        if name.is_file():
            return  # a system without links has it here
        raise FileNotFoundError(2, "a file went away while others were fetched", str(blob))
    if name.is_symlink() and name.exists() and name.samefile(blob):
        return
    fresh = name.with_name(f".{name.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        if constants.HF_HUB_DISABLE_SYMLINKS:
            raise OSError
        fresh.symlink_to(os.path.relpath(blob, name.parent))
    except OSError:  # Windows without the right to make links: the file itself moves
        if again:
            shutil.copyfile(blob, fresh)
        else:
            fresh = blob
    os.replace(fresh, name)
