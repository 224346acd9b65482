"""Sa2VA in PyTorch: knows nothing of napari, Qt or layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    # Prompts, configurations and results need no torch, which takes seconds to import.
    if name == "Sa2VA":
        from napari_sa2va.model.linker import load_triton_apart

        load_triton_apart()  # before anything imports transformers
        from napari_sa2va.model.sa2va import Sa2VA

        return Sa2VA
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
