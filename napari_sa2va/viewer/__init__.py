"""The only room that touches napari's layers: what the model sees, and where its results go."""

from __future__ import annotations

from napari_sa2va.viewer.placement import Placement
from napari_sa2va.viewer.source import PlaneSnapshot, snapshot
from napari_sa2va.viewer.stack import StackAxis, StackSnapshot, stack_axes, stack_snapshot
from napari_sa2va.viewer.visible import LookAt

__all__ = [
    "LookAt",
    "Placement",
    "PlaneSnapshot",
    "StackAxis",
    "StackSnapshot",
    "snapshot",
    "stack_axes",
    "stack_snapshot",
]
