"""Qt only: layout and signals."""

from __future__ import annotations

from napari_sa2va.widgets.dock import Sa2VAWidget, open_dock

__all__ = ["Sa2VAWidget", "open_dock"]
