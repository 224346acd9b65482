"""What is fetched of a repository, and whether it can be: asked before gigabytes are."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.zoo.cache import CONFIG, Repository, cache_folder, existing
from napari_sa2va.zoo.download_errors import NoRoom, NotACheckpoint, not_written
from napari_sa2va.zoo.fit import gib

if TYPE_CHECKING:
    from napari_sa2va.zoo.listing import Listing, RemoteFile

# What a checkpoint is read from. Python files and pickles (.bin, .pt, .pth) are not in the list:
# both can run code.
SAFE_FILES: Final = (
    "*.json",
    "*.safetensors",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "*.jinja",
)
# Room to leave on the disk, in bytes.
_SPARE: Final = 256 * 1024**2
# Files up to this size are fetched before the larger ones, in bytes.
_SMALL: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is fetched of a repository, and how it is found whole.

    Attributes
    ----------
    patterns : tuple of str
        Names of files.
    checkpoint : bool
        Whether it must be a Sa2VA checkpoint; else all that fits the patterns is taken.
    """

    patterns: tuple[str, ...] = SAFE_FILES
    checkpoint: bool = True


CHECKPOINT: Final = Wanted()


def check_kind(listing: Listing, wanted: Wanted) -> None:
    """Raise `NotACheckpoint` if what is wanted is not among the files."""
    names = {file.name for file in listing.files}
    if not names:
        raise NotACheckpoint(
            f"{listing.hub_id} has none of the files {', '.join(wanted.patterns)}."
        )
    if not wanted.checkpoint:
        return
    if CONFIG not in names or not any(name.endswith(".safetensors") for name in names):
        raise NotACheckpoint(
            f"{listing.hub_id} is no checkpoint in the official format: config.json and weights "
            "in .safetensors files are needed. Weights in pickle files (.bin, .pt) are not taken: "
            "they can run code."
        )


def check_config(file: Path, hub_id: str) -> None:
    """Raise `NotACheckpoint` if this version cannot read what the configuration describes."""
    with TemporaryDirectory() as folder:
        try:
            shutil.copyfile(file, Path(folder) / CONFIG)
            Sa2VAConfig.from_folder(Path(folder))
        except OSError as error:
            raise not_written(hub_id, Path(folder), error) from error
        except CheckpointError as error:
            reason = str(error).replace(folder, hub_id)
            raise NotACheckpoint(f"{hub_id} was not downloaded: {reason}") from error


def check_room(repository: Repository, listing: Listing) -> None:
    """Raise `NoRoom` if what is missing does not fit onto the disk of the cache."""
    missing = sum(
        file.size - repository.arrived(file)
        for file in listing.files
        if repository.held(file, listing.commit) is None
    )
    place = existing(cache_folder())
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise not_written(listing.hub_id, place, error) from error
    if missing and missing + _SPARE > free:
        raise NoRoom(
            f"{listing.hub_id} is a download of {gib(missing)}, and the disk of {place} has "
            f"{gib(free)} left. Make room, or set HF_HOME to a folder on another disk."
        )


def in_order(files: tuple[RemoteFile, ...]) -> tuple[RemoteFile, ...]:
    """Put the configuration first, which tells whether the rest is of use, then the small ones."""
    return tuple(sorted(files, key=lambda file: (file.name != CONFIG, file.size > _SMALL)))
