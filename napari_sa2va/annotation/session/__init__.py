"""Sessions: all that happened to the objects of a layer, on the disk as it happens.

A session is a folder: `session.json` (which image and layer; rows and conversation as of the last
folding), `labels.zarr` (the pixels as of then), `log.jsonl` (every action since), `history.jsonl`
(those before), `objects.csv` (for people) and `lock`. No Qt, no napari.
"""

from __future__ import annotations

from napari_sa2va.annotation.session.about import About, ImageInfo, LabelsInfo
from napari_sa2va.annotation.session.errors import CannotRecord, SessionDamaged, SessionInUse
from napari_sa2va.annotation.session.folder import Session, create_session, open_session
from napari_sa2va.annotation.session.load import SessionState, is_session, load, read_entries

__all__ = [
    "About",
    "CannotRecord",
    "ImageInfo",
    "LabelsInfo",
    "Session",
    "SessionDamaged",
    "SessionInUse",
    "SessionState",
    "create_session",
    "is_session",
    "load",
    "open_session",
    "read_entries",
]
