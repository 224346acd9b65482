"""A log file that a user can attach to a bug report."""

from __future__ import annotations

import logging
import os
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from platformdirs import user_log_path

_LOGGER: Final = logging.getLogger("napari_sa2va")
_FOLDER_VARIABLE: Final = "NAPARI_SA2VA_LOG_FOLDER"
_BYTES: Final = 1_000_000
_OLDER_FILES: Final = 3


def log_path() -> Path:
    """Return where the log is, whether or not it is there yet.

    The system's folder for logs, or the one that the environment variable
    ``NAPARI_SA2VA_LOG_FOLDER`` names.
    """
    named = os.environ.get(_FOLDER_VARIABLE)
    folder = Path(named).absolute() if named else user_log_path("napari-sa2va", appauthor=False)
    return folder / "napari-sa2va.log"


def start_log() -> Path | None:
    """Write what this package logs, from level INFO, to `log_path` too; once per process.

    The file is kept under 1 MB: older lines move to three numbered files beside it.

    Returns
    -------
    Path or None
        The file; None when it cannot be written, which is no reason to stop working.
    """
    path = log_path()
    for handler in _LOGGER.handlers:
        if isinstance(handler, RotatingFileHandler) and Path(handler.baseFilename) == path:
            return path
    stop_log()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            path, maxBytes=_BYTES, backupCount=_OLDER_FILES, encoding="utf-8"
        )
    except OSError as error:
        _LOGGER.warning("The log file %s cannot be written: %s", path, error)
        return None
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s")
    )
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.INFO)
    return path


def stop_log() -> None:
    """Close the file that `start_log` opened."""
    for handler in list(_LOGGER.handlers):
        if isinstance(handler, RotatingFileHandler):
            _LOGGER.removeHandler(handler)
            handler.close()


def last_lines(count: int = 200) -> list[str]:
    """Return the end of the log; empty when there is none."""
    try:
        with log_path().open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=count)]
    except OSError:
        return []
