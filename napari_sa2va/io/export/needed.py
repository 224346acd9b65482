"""Packages that only some formats need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from napari_sa2va.errors import Sa2VAError


class PackageMissing(Sa2VAError):
    """A format needs a package that is not installed."""


def needed(module: str, package: str, what: str) -> Any:
    """Import a module of the extra ``export``.

    Parameters
    ----------
    module : str
        Its name.
    package : str
        What brings it.
    what : str
        What it is for, such as ``"COCO files"``.

    Raises
    ------
    PackageMissing
        With what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise PackageMissing(
            f"{what} need the package {package}, which is not installed. Install it with: "
            f'python -m pip install {package}, or all of them with "napari-sa2va[export]".'
        ) from error
