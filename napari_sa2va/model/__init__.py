"""Sa2VA in PyTorch: knows nothing of napari, Qt or layers."""

from __future__ import annotations

from napari_sa2va.model.results import (
    Answer,
    Capabilities,
    Found,
    FoundObject,
    Part,
    Segment,
    SegmentPart,
    TextPart,
    TrackedFrame,
    VideoPart,
)
from napari_sa2va.model.sa2va import Sa2VA

__all__ = [
    "Answer",
    "Capabilities",
    "Found",
    "FoundObject",
    "Part",
    "Sa2VA",
    "Segment",
    "SegmentPart",
    "TextPart",
    "TrackedFrame",
    "VideoPart",
]
