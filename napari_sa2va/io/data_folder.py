"""Where this plugin keeps what belongs to the user, whatever the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

_VARIABLE: Final = "NAPARI_SA2VA_DATA_FOLDER"


def data_folder() -> Path:
    """Return the user's folder for what this plugin keeps, whether or not it is there yet.

    The system's folder for data, or the one that the environment variable
    ``NAPARI_SA2VA_DATA_FOLDER`` names.
    """
    named = os.environ.get(_VARIABLE)
    return Path(named).absolute() if named else user_data_path("napari-sa2va", appauthor=False)
