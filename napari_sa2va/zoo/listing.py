"""What the Hub says a checkpoint consists of: names, sizes and checksums, at one commit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, Final

from huggingface_hub import HfApi, constants

from napari_sa2va.zoo.download_errors import DamagedDownload

if TYPE_CHECKING:
    from napari_sa2va.zoo.patience import Patience

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SHA1: Final = re.compile(r"[0-9a-f]{40}")
_LICENSE: Final = re.compile(r"license:([A-Za-z0-9.+-]{1,60})")
# No separators: a file beside the others and nowhere else on the disk.
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the Hub.

    Attributes
    ----------
    name : str
        Without folders.
    size : int
        In bytes.
    digest : str
        SHA-256 (64 hexadecimal digits) of large files, else the SHA-1 of git's blob (40). It is the
        name of the file in the Hub's cache, too.
    """

    name: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository that are wanted, at one commit.

    Attributes
    ----------
    license : str
        As its model card names it, such as ``"apache-2.0"``; empty where it does not.
    """

    hub_id: str
    commit: str
    files: tuple[RemoteFile, ...]
    license: str = ""


def ask(
    hub_id: str,
    patterns: tuple[str, ...],
    patience: Patience,
    revision: str | None = None,
    endpoint: str | None = None,
) -> Listing:
    """Ask the Hub for the files of a repository that fit any of the patterns.

    Files in folders are left out.

    Raises
    ------
    DownloadError
        If the Hub cannot be asked, refuses, or gives no checksums.
    Cancelled
    """
    api = HfApi(endpoint=endpoint)
    while True:
        try:
            info = api.model_info(
                hub_id,
                revision=revision or constants.DEFAULT_REVISION,
                files_metadata=True,
                timeout=constants.HF_HUB_ETAG_TIMEOUT,
            )
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            # An answer that is no JSON, or not of the Hub's form: a captive portal's page, for one.
            raise _nonsense(hub_id) from error
        except Exception as error:  # huggingface_hub's and the HTTP library's share no base
            patience.after(error)
            continue
        patience.progressed()
        if revision is not None and _COMMIT.fullmatch(revision) and info.sha != revision:
            raise DamagedDownload(
                f"{hub_id} was asked for at the commit {revision}, and another one was offered. If "
                "you use a mirror (HF_ENDPOINT), try without it."
            )
        return _read(hub_id, patterns, info)


def _read(hub_id: str, patterns: tuple[str, ...], info: Any) -> Listing:
    if not isinstance(info.sha, str) or not _COMMIT.fullmatch(info.sha):
        raise _nonsense(hub_id)
    files = []
    for sibling in info.siblings or []:
        name = sibling.rfilename
        if not _PLAIN_NAME.fullmatch(name) or not any(fnmatch(name, p) for p in patterns):
            continue
        digest = sibling.lfs.sha256 if sibling.lfs is not None else sibling.blob_id
        size = sibling.lfs.size if sibling.lfs is not None else sibling.size
        known = _SHA256 if sibling.lfs is not None else _SHA1
        if not isinstance(digest, str) or not known.fullmatch(digest):
            raise _nonsense(hub_id)
        if not isinstance(size, int) or size < 0:
            raise _nonsense(hub_id)
        files.append(RemoteFile(name, size, digest))
    return Listing(hub_id, info.sha, tuple(files), _license(info.tags))


def _license(tags: Any) -> str:
    """Return what a tag such as ``license:mit`` says, which the Hub makes from the model card."""
    for tag in tags if isinstance(tags, list) else ():
        if found := _LICENSE.fullmatch(str(tag)):
            return found[1]
    return ""


def _nonsense(hub_id: str) -> DamagedDownload:
    return DamagedDownload(
        f"What the Hub says about {hub_id} cannot be read: its files' sizes or checksums are "
        "missing. If you use a mirror (HF_ENDPOINT), try without it; in a hotel or on a campus, "
        "log in to the network first."
    )
