"""Sa2VA in PyTorch: knows nothing of napari, Qt or layers."""

from __future__ import annotations

from napari_sa2va.model.results import (
    Answer,
    Capabilities,
    Part,
    Segment,
    SegmentPart,
    TextPart,
)
from napari_sa2va.model.sa2va import Sa2VA

__all__ = ["Answer", "Capabilities", "Part", "Sa2VA", "Segment", "SegmentPart", "TextPart"]
