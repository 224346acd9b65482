"""Fetching a checkpoint from the Hugging Face Hub: data only, never code."""

from __future__ import annotations

import errno
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    DryRunError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils.tqdm import tqdm as HubBar

from napari_sa2va.errors import Cancelled, CheckpointError, Sa2VAError
from napari_sa2va.zoo.fit import gib

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[str, float], object]

# What a checkpoint is read from. Python files and pickles (.bin, .pt, .pth) are not in the list:
# both can run code.
SAFE_FILES: Final = ["*.json", "*.safetensors", "merges.txt", "vocab.txt", "tokenizer.model"]
# Room to leave on the disk, in bytes.
_SPARE: Final = 256 * 1024**2
# The name that huggingface_hub gives to the bar that counts bytes on disk.
_BYTES_BAR: Final = "huggingface_hub.snapshot_download"


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
        Offline, no such checkpoint, no permission, or a full disk.
    Cancelled
    """
    here = _local_copy(hub_id)
    if here is not None:
        return here
    if not download or constants.HF_HUB_OFFLINE:
        raise CheckpointError(
            f"{hub_id} is not on this machine, and downloads are switched off (HF_HUB_OFFLINE). "
            "Switch them on, or copy the checkpoint's folder here and choose that folder."
            if download
            else f"{hub_id} is not on this machine."
        )
    try:
        size = _missing_bytes(hub_id, endpoint)
        _check_disk(hub_id, size)
        if progress is not None:
            progress(f"Downloading {hub_id} ({gib(size)})", 0.0)
        return Path(
            snapshot_download(
                hub_id,
                allow_patterns=SAFE_FILES,
                endpoint=endpoint,
                tqdm_class=_bar_class(hub_id, size, progress, cancelled),
            )
        )
    except Sa2VAError:
        raise
    except Exception as error:  # the HTTP library's errors share no base with huggingface_hub's
        raise _explained(hub_id, error) from error


def _local_copy(hub_id: str) -> Path | None:
    try:
        return Path(snapshot_download(hub_id, allow_patterns=SAFE_FILES, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _missing_bytes(hub_id: str, endpoint: str | None) -> int:
    found = snapshot_download(hub_id, allow_patterns=SAFE_FILES, endpoint=endpoint, dry_run=True)
    return sum(file.file_size or 0 for file in found if file.will_download)


def _check_disk(hub_id: str, size: int) -> None:
    place = Path(constants.HF_HUB_CACHE)
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if size + _SPARE > free:
        raise CheckpointError(
            f"{hub_id} is a download of {gib(size)}, and the disk of {place} has {gib(free)} "
            "left. Make room, or set HF_HOME to a folder on another disk."
        )


def _explained(hub_id: str, error: Exception) -> CheckpointError:
    """Say what went wrong and what to do.

    huggingface_hub wraps the cause, so the chain of causes is looked through.
    """
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    for link in chain:
        if isinstance(link, GatedRepoError):
            return CheckpointError(
                f"{hub_id} asks for consent first: accept its terms on its page on the Hub, then "
                "run `hf auth login` once."
            )
        if isinstance(link, RepositoryNotFoundError) or _status(link) == 401:
            return CheckpointError(
                f"The Hub has no {hub_id}, or it is private. Check the spelling; for a private "
                "one, run `hf auth login` once."
            )
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT):
            return CheckpointError(
                f"The disk is full, so {hub_id} could not be stored. Make room and try again: "
                "what is already here is kept."
            )
    if isinstance(error, HFValidationError):
        return CheckpointError(f"{hub_id!r} is no Hub id: {error}")
    if any(
        isinstance(link, DryRunError | OfflineModeIsEnabled | ConnectionError) for link in chain
    ):
        return CheckpointError(
            f"{hub_id} is not on this machine, and the Hub cannot be reached. Check the network "
            "connection, or choose the demo checkpoint, which is always here."
        )
    return CheckpointError(
        f"{hub_id} could not be downloaded ({error}). Try again: what is already here is kept."
    )


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _bar_class(
    hub_id: str,
    size: int,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> type[Any]:
    """Make a silent progress bar that passes on what huggingface_hub tells its bars."""
    lock = threading.Lock()
    done = 0

    class Bar(HubBar):
        def __init__(self, *args: Any, **options: Any) -> None:
            self._counts_bytes = options.get("name") == _BYTES_BAR
            options["disable"] = True
            super().__init__(*args, **options)  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            nonlocal done
            if cancelled is not None and cancelled():
                raise Cancelled(f"The download of {hub_id} was cancelled.")
            if self._counts_bytes and progress is not None:
                with lock:
                    done += int(n or 0)
                    fraction = min(done / size, 1.0) if size else 1.0
                progress(f"Downloading {hub_id} ({gib(size)})", fraction)
            return None

    return Bar
