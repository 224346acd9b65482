"""What can go wrong with a download, each kind with a sentence that says what to do."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Final

import httpx2
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from napari_sa2va.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

# Answers of a server that is busy or down for a moment.
PASSING: Final = (408, 429, 500, 502, 503, 504)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_LOG_IN: Final = "run `hf auth login` once, or set HF_TOKEN"
_KEPT: Final = "what has arrived is kept."


class DownloadError(CheckpointError):
    """A checkpoint could not be fetched."""


class Offline(DownloadError):
    """Downloads are switched off."""


class NoConnection(DownloadError):
    """The Hub cannot be reached, or the connection breaks again and again."""


class HubBusy(DownloadError):
    """The Hub refuses for now: too many requests, or it is down."""


class NotOnHub(DownloadError):
    """The Hub has no such checkpoint, revision or file, or does not show it."""


class NeedsLogin(DownloadError):
    """The Hub wants to know who asks: no token, or one that it does not take."""


class NeedsConsent(DownloadError):
    """The terms of the checkpoint must be accepted on its page first."""


class NoRoom(DownloadError):
    """The disk is full, or takes no file of this size."""


class CacheNotWritable(DownloadError):
    """The folder for downloads cannot be written."""


class DamagedDownload(DownloadError):
    """What arrived is not what the Hub said it would be."""


class NotACheckpoint(DownloadError):
    """The Hub has it, and it is no Sa2VA checkpoint in safetensors."""


def passing(error: Exception) -> bool:
    """Whether trying again may help: a broken connection, or a busy server."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in PASSING
    return isinstance(
        error, httpx2.TimeoutException | httpx2.NetworkError | httpx2.RemoteProtocolError
    )


def wished_wait(error: Exception) -> float | None:
    """Return for how many seconds a server asks to be left alone, or None.

    By the header ``Retry-After`` in seconds, or the draft of ``RateLimit``, such as
    ``"api";r=0;t=55``, which the Hub sends.
    """
    if not isinstance(error, HfHubHTTPError):
        return None
    headers = error.response.headers
    after = headers.get("Retry-After", "").strip()
    if after.isdigit():
        return float(after)
    limit = re.search(r"r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", headers.get("RateLimit", ""))
    return float(limit[1]) if limit else None


def explained(what: str, error: Exception) -> DownloadError:
    """Say what a failed request means, and what to do.

    Parameters
    ----------
    what : str
        The checkpoint, as the user named it.
    error : Exception
        From huggingface_hub or its HTTP library.
    """
    if isinstance(error, OfflineModeIsEnabled):
        return offline(what)
    if isinstance(error, GatedRepoError):
        return NeedsConsent(
            f"{what} asks for consent first: accept its terms on its page on the Hub, then "
            f"{_LOG_IN}."
        )
    if isinstance(error, RevisionNotFoundError):
        return NotOnHub(f"The Hub has no such revision of {what}. Check its spelling.")
    if isinstance(error, RemoteEntryNotFoundError):
        return NotOnHub(
            f"The Hub lists a file of {what} that it does not have. Try again later, or tell the "
            "authors of the checkpoint."
        )
    if isinstance(error, RepositoryNotFoundError):
        return _hidden(what)
    if isinstance(error, HfHubHTTPError):
        return _refused(what, error)
    if isinstance(error, httpx2.ProxyError):
        return NoConnection(
            f"The proxy does not let {what} through ({error}). Check HTTPS_PROXY, and set "
            "NO_PROXY for addresses that need none."
        )
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NoConnection(
            f"The Hub's certificate is not trusted here, so {what} was not downloaded. Behind a "
            "company's proxy, set SSL_CERT_FILE to the file of its certificates."
        )
    if isinstance(error, OSError):
        return DownloadError(
            f"{what} was not downloaded, for a file of this machine cannot be used ({error})."
        )
    return NoConnection(
        f"The Hub cannot be reached, or the connection broke while {what} was downloaded "
        f"({type(error).__name__}). Check the network and try again: {_KEPT} The demo checkpoint "
        "is always here."
    )


def offline(what: str) -> Offline:
    """Say that downloads are switched off."""
    return Offline(
        f"{what} is not on this machine, and downloads are switched off (HF_HUB_OFFLINE). Switch "
        "them on, or copy the checkpoint's folder here and choose that folder."
    )


def not_written(what: str, place: Path, error: OSError) -> DownloadError:
    """Say why the disk took no file, and what to do."""
    if error.errno in _FULL:
        return NoRoom(
            f"The disk of {place} is full, so {what} could not be stored. Make room and try again: "
            f"{_KEPT}"
        )
    if error.errno == errno.EFBIG:
        return NoRoom(
            f"The disk of {place} takes no file as large as those of {what} (FAT32 ends at 4 GB). "
            "Set HF_HOME to a folder on another disk."
        )
    if error.errno in _FORBIDDEN:
        return CacheNotWritable(
            f"{what} cannot be stored, for {place} cannot be written. Ask whoever keeps that "
            "folder to fetch it there, or set HF_HUB_CACHE to a folder of your own."
        )
    return CacheNotWritable(
        f"{what} could not be stored in {place} ({error.strerror or error}). Check the disk, or "
        "set HF_HUB_CACHE to another folder."
    )


def _refused(what: str, error: HfHubHTTPError) -> DownloadError:
    status = error.response.status_code
    if status == 401:
        bad_token = "Invalid credentials" in error.response.headers.get("X-Error-Message", "")
        if not bad_token:
            return _hidden(what)
        return NeedsLogin(
            f"The Hub does not take your token for {what}. Run `hf auth login` again, or unset "
            "HF_TOKEN."
        )
    if status == 403:
        return NeedsLogin(
            f"The Hub does not let you have {what}. Ask its owners for access, then {_LOG_IN} with "
            "a token that may read it."
        )
    if status == 404:
        return _hidden(what)
    if status == 429:
        wait = wished_wait(error)
        when = f"in {wait:.0f} seconds" if wait else "in a few minutes"
        return HubBusy(
            f"The Hub had too many requests from here. Try {what} again {when}: {_KEPT} With a "
            f"token it allows more ({_LOG_IN})."
        )
    if status in PASSING:
        return HubBusy(
            f"The Hub is not well (status {status}). Try {what} again in a few minutes: {_KEPT}"
        )
    return DownloadError(
        f"The Hub refused {what} with status {status}. Try again later; if you use a mirror "
        "(HF_ENDPOINT), try without it."
    )


def _hidden(what: str) -> NotOnHub:
    return NotOnHub(
        f"The Hub has no {what}, or it is private. Check the spelling; for a private one, "
        f"{_LOG_IN}."
    )
