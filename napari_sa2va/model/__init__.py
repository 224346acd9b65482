"""Sa2VA in PyTorch: knows nothing of napari, Qt or layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sa2va.model.results import (
    Answer,
    Candidate,
    Capabilities,
    FollowedObject,
    Found,
    FoundObject,
    Part,
    Refined,
    Segment,
    SegmentPart,
    TextPart,
    TrackedFrame,
    VideoPart,
)
from napari_sa2va.model.turns import Exchange

if TYPE_CHECKING:
    from napari_sa2va.model.sa2va import Sa2VA
    from napari_sa2va.model.track_runs import Tracking
    from napari_sa2va.model.track_state import TrackState

__all__ = [
    "Answer",
    "Candidate",
    "Capabilities",
    "Exchange",
    "FollowedObject",
    "Found",
    "FoundObject",
    "Part",
    "Refined",
    "Sa2VA",
    "Segment",
    "SegmentPart",
    "TextPart",
    "TrackState",
    "TrackedFrame",
    "Tracking",
    "VideoPart",
]


def __getattr__(name: str) -> Any:
    # Prompts, configurations and results need no torch, which takes seconds to import.
    if name in ("Sa2VA", "TrackState", "Tracking"):
        from napari_sa2va.model.linker import load_triton_apart, spin_little

        spin_little()
        load_triton_apart()  # before anything imports transformers
        from napari_sa2va.model import sa2va, track_runs, track_state

        homes: dict[str, Any] = {
            "Sa2VA": sa2va,
            "TrackState": track_state,
            "Tracking": track_runs,
        }
        return getattr(homes[name], name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
