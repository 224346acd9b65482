"""Which weights exactly: their SHA-256, so that results can be told apart years later."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Progress = Callable[[str, float], object]

_PIECE: Final = 16 << 20
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")

# By path, size and time of the last change: a file of 16 GB takes half a minute to read.
_known: dict[tuple[Path, int, int], str] = {}


@dataclass(frozen=True, slots=True)
class WeightsIdentity:
    """What weights a folder holds.

    Attributes
    ----------
    digest : str
        ``"sha256:…"``: of the file of weights, as ``sha256sum`` prints it; of several, of the
        lines that ``sha256sum *.safetensors`` prints. Empty without any.
    revision : str
        The Hub's commit; empty for other folders.
    """

    digest: str
    revision: str


def weights_identity(
    folder: Path,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> WeightsIdentity:
    """Identify the weights of a checkpoint folder.

    In the Hub's cache nothing is read: files of weights are stored under their SHA-256 there
    (huggingface_hub's documentation of its cache). Other files are read once in a process.

    Parameters
    ----------
    folder : Path
        With ``*.safetensors`` files.
    progress : callable, optional
        Called with a message and a fraction, 0 to 1.
    cancelled : callable, optional
        Asked every few megabytes.

    Raises
    ------
    Cancelled
    OSError
        If a file cannot be read.
    """
    files = sorted(folder.glob("*.safetensors"))
    total = sum(file.stat().st_size for file in files) or 1
    done, digests = 0, []
    for file in files:
        before = done

        def tell(read: int, before: int = before) -> None:
            if cancelled is not None and cancelled():
                raise Cancelled("Loading was cancelled.")
            if progress is not None:
                progress("Taking the weights' checksum", min((before + read) / total, 1.0))

        digests.append(_stored_under(file) or _digest(file, tell))
        done += file.stat().st_size
    if len(files) > 1:
        lines = "".join(
            f"{digest}  {file.name}\n" for digest, file in zip(digests, files, strict=True)
        )
        digests = [hashlib.sha256(lines.encode()).hexdigest()]
    snapshot = folder.resolve()
    revision = snapshot.name if snapshot.parent.name == "snapshots" else ""
    return WeightsIdentity(
        f"sha256:{digests[0]}" if digests else "", revision if _COMMIT.fullmatch(revision) else ""
    )


def _stored_under(file: Path) -> str | None:
    """Return the SHA-256 that a file of the Hub's cache is named after."""
    blob = file.resolve()
    return blob.name if blob.parent.name == "blobs" and _SHA256.fullmatch(blob.name) else None


def _digest(file: Path, tell: Callable[[int], None]) -> str:
    stat = file.stat()
    key = (file.resolve(), stat.st_size, stat.st_mtime_ns)
    if key not in _known:
        digest, read = hashlib.sha256(), 0
        with file.open("rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
                read += len(piece)
                tell(read)
        _known[key] = digest.hexdigest()
    return _known[key]
