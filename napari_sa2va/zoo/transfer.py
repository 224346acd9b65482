"""One file from the Hub to the disk: on from where it stopped, and checked at the end."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx2
from huggingface_hub import constants, get_session, hf_raise_for_status
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from napari_sa2va.zoo.download_errors import DamagedDownload, not_written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import FileIO

    from napari_sa2va.zoo.listing import RemoteFile
    from napari_sa2va.zoo.patience import Patience

    Tell = Callable[[int], object]

_PIECE: Final = 1 << 20
# The first run may go on from a damaged beginning; the second starts from nothing.
_RUNS: Final = 2


def transfer(
    url: str, file: RemoteFile, partial: Path, patience: Patience, tell: Tell, checking: Tell
) -> None:
    """Bring a file's bytes to the disk and check them.

    `partial` is gone on from if it is there. Its bytes are on the disk when this returns. When it
    raises, what has arrived stays for the next time, unless it is wrong.

    Parameters
    ----------
    url : str
        Where the Hub has it.
    file : RemoteFile
    partial : Path
        Where it is collected.
    patience : Patience
    tell, checking : callable
        Called with how many bytes have arrived, or were checked.

    Raises
    ------
    DownloadError
    Cancelled
    """
    for _ in range(_RUNS):
        _collect(url, file, partial, patience, tell)
        if matches(partial, file, patience, checking):
            return
        remove(partial)
        tell(0)
    raise DamagedDownload(
        f"{file.name} of {patience.what} arrived damaged twice: its checksum is not the one that "
        "the Hub gives. Try again later; if you use a mirror (HF_ENDPOINT), try without it."
    )


def matches(path: Path, file: RemoteFile, patience: Patience, tell: Tell) -> bool:
    """Whether a file on the disk has the size and the checksum that the Hub gives."""
    try:
        if path.stat().st_size != file.size:
            return False
        if len(file.digest) == 64:
            digest = hashlib.sha256()
        else:  # git's name of a blob
            digest = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        read = 0
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                patience.look()
                digest.update(piece)
                read += len(piece)
                tell(read)
    except OSError as error:
        raise not_written(patience.what, path.parent, error) from error
    return digest.hexdigest() == file.digest


def remove(path: Path) -> None:
    """Delete what is of no use."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise not_written(path.name, path.parent, error) from error


class _OtherFile(Exception):
    """The server has a file of another size than the Hub said."""


def _collect(url: str, file: RemoteFile, partial: Path, patience: Patience, tell: Tell) -> None:
    """Ask for what is missing until the size is right."""
    with _appending(partial, patience) as stream:
        best = have = stream.seek(0, os.SEEK_END)
        others = 0
        while have != file.size:
            try:
                if have > file.size:
                    raise _OtherFile
                tell(have)
                _receive(url, file, stream, have, patience, tell)
            except _OtherFile as error:
                others += 1
                stream.truncate(0)
                if others > 1:
                    raise DamagedDownload(
                        f"The Hub says that {file.name} of {patience.what} has {file.size} bytes, "
                        "and sends another number. Try again later; if you use a mirror "
                        "(HF_ENDPOINT), try without it."
                    ) from error
            except Exception as error:  # the HTTP library's and huggingface_hub's share no base
                # Only what is further than ever counts, or a server that always begins anew and
                # always breaks off would be asked for ever.
                if (now := stream.seek(0, os.SEEK_END)) > best:
                    best = now
                    patience.progressed()
                patience.after(error)
            have = stream.seek(0, os.SEEK_END)
        try:
            os.fsync(stream.fileno())
        except OSError as error:
            raise not_written(patience.what, partial.parent, error) from error


def _receive(
    url: str, file: RemoteFile, stream: FileIO, have: int, patience: Patience, tell: Tell
) -> None:
    """Append what one request brings."""
    # Compressed on the way, sizes and ranges would be those of something else.
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with get_session().stream(
        "GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
    ) as response:
        if response.status_code == 416:
            raise _OtherFile
        if response.status_code >= 400:
            response.read()
        hf_raise_for_status(response)
        if have and response.status_code != 206:
            have = stream.truncate(0)
        _check_size(response.headers, file, have)
        for piece in response.iter_bytes():
            patience.look()
            have += len(piece)
            if have > file.size:
                raise _OtherFile
            _write(stream, piece, patience)
            tell(have)
    if have < file.size:
        raise httpx2.RemoteProtocolError("The answer ended early.")


def _check_size(headers: Mapping[str, str], file: RemoteFile, have: int) -> None:
    if "Content-Encoding" in headers:  # the length is that of something else
        return
    if "Content-Range" in headers:
        said = headers["Content-Range"]
        if said not in (f"bytes {have}-{file.size - 1}/{file.size}", ""):
            raise _OtherFile
    elif "Content-Length" in headers and headers["Content-Length"] != str(file.size - have):
        raise _OtherFile


def _appending(partial: Path, patience: Patience) -> FileIO:
    try:
        return partial.open("ab", buffering=0)
    except OSError as error:
        raise not_written(patience.what, partial.parent, error) from error


def _write(stream: FileIO, piece: bytes, patience: Patience) -> None:
    left = memoryview(piece)
    try:
        while left:
            left = left[stream.write(left) or 0 :]
    except OSError as error:
        place = Path(str(stream.name)).parent
        raise not_written(patience.what, place, error) from error
