"""What the stack panel says: the names of its choices, and what a run will cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.engine.planes import planes_visited
from napari_sa2va.widgets.track_writer import duration

if TYPE_CHECKING:
    from napari_sa2va.widgets.asked import TrackOptions

_LABEL_BYTES: Final = 4

# Of each choice: its text, what it stands for, and its tooltip.
KEYS: Final = (
    ("the plane shown", "current", "Sa2VA looks at the plane that the slider is at"),
    ("five, spread evenly", "spread", "For objects that are not in every plane"),
    ("the first five", "first", "As in the official inference"),
    ("these planes:", "list", "Write them like this: 0, 5-9, 20"),
)
DIRECTIONS: Final = (
    ("both ways", "both", "From the planes looked at to both ends of the range"),
    ("forward", "forward", "To higher planes, or later in time"),
    ("backward", "backward", "To lower planes, or earlier in time"),
)
METHODS: Final = (
    (
        "automatic",
        None,
        "Consistent where the checkpoint, or SAM 2.0's file, allows it, else official",
    ),
    (
        "consistent",
        "consistent",
        "Sa2VA finds the objects, SAM2's original decoder follows them (Sa2VA-i): the better way "
        "in published figures. Needs that decoder in the checkpoint, or in a SAM 2.0 file.",
    ),
    (
        "official",
        "official",
        "The decoder that was trained to find objects follows them too, as in Sa2VA's own code.",
    ),
)
DISAGREEMENTS: Final = (
    ("flag", False, "Where the new answer differs, the plane is flagged"),
    ("go on from it", True, "Where the new answer differs, the tracking goes on from it"),
)
LACKING: Final = (
    "This checkpoint lacks SAM2's original decoder, which SAM 2.0's file has. Without it, official "
    "tracking is used."
)
LACKING_CONSISTENT: Final = (
    "This checkpoint lacks SAM2's original decoder: for consistent tracking, get SAM 2.0's file, "
    "which has it."
)
FROM_FILE: Final = "Consistent tracking with SAM2's original decoder, from {}."
FROM_FETCHED: Final = "Consistent tracking with SAM2's original decoder, from SAM 2.0's file."


def decoder_text(method: str | None, chosen: str, *, fetched: bool) -> str:
    """Say where SAM2's original decoder comes from, for a checkpoint that lacks it.

    Parameters
    ----------
    method : str or None
        As in `TrackOptions`; not official.
    chosen : str
        Name of the file that the user chose; empty for none.
    fetched : bool
        Whether SAM 2.0's file is on this machine.
    """
    if chosen:
        return FROM_FILE.format(chosen)
    if fetched:
        return FROM_FETCHED
    return LACKING_CONSISTENT if method == "consistent" else LACKING


def cost(
    place: Any, wanted: TrackOptions, seconds: float | None, *, there: bool, turns: int = 1
) -> str:
    """Say what following objects would take.

    Parameters
    ----------
    place : StackSnapshot
    wanted : TrackOptions
    seconds : float or None
        For a plane, as the last run went; None before a first one.
    there : bool
        Whether the Labels layer is there already.
    turns : int
        How many such stacks are followed through, one after the other.
    """
    planes = turns * planes_visited(
        wanted.planes_looked_at(place.axis.current), wanted.within, wanted.direction
    )
    parts = [f"{planes} planes" if planes > 1 else "1 plane"]
    if seconds is None:
        parts.append("how long will be known after a first run")
    else:
        parts.append(f"about {duration(planes * seconds)}")
    if not there:
        size = math.prod(place.first.labels_shape) * _LABEL_BYTES
        parts.append(f"{size / 1e6:.0f} MB of labels" if size >= 1e6 else "little memory")
    return " · ".join(parts)
