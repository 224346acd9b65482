"""Objects, their table, and the conversation: what is known about the labels. No Qt, no napari."""

from __future__ import annotations

from napari_sa2va.annotation.conversation import Conversation, Turn
from napari_sa2va.annotation.records import ObjectRecord
from napari_sa2va.annotation.table import ObjectTable

__all__ = ["Conversation", "ObjectRecord", "ObjectTable", "Turn"]
