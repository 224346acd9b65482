"""Large labels of a session, copied to the disk: whole or not at all."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.annotation.session import SessionState


def copied_labels(state: SessionState, path: Path) -> Any:
    """Copy the labels of a session to a zarr array at a place where nothing is.

    Raises
    ------
    SessionDamaged
        As of `SessionState.copy_labels`; no half copy is left.
    InvalidInput
        If it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return state.copy_labels(path)
    except BaseException as error:
        if not isinstance(error, FileExistsError):  # that is somebody else's
            shutil.rmtree(path, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        reason = error.strerror or error
        if isinstance(error, shutil.Error):  # a list of all files, the system's words last
            reason = error.args[0][-1][-1]
        raise InvalidInput(
            f"The labels could not be copied to {path.parent}: {reason}. Free some space there, or "
            "see that it can be written to."
        ) from error
