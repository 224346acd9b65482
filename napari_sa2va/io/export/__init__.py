"""Annotations to the files of other programs, each format in a file of its own.

`formats.FORMATS` names them all; each writer takes an `Annotations`, and returns sentences about
what its format cannot hold.
"""

from __future__ import annotations

from napari_sa2va.io.export.annotations import Annotations
from napari_sa2va.io.export.formats import FORMATS, Format, export

__all__ = ["FORMATS", "Annotations", "Format", "export"]
