"""What people and scripts are told of a tracking."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_sa2va.cli.exit_codes import status_of
from napari_sa2va.engine.planes import format_planes

if TYPE_CHECKING:
    from napari_sa2va.cli.display import Display
    from napari_sa2va.cli.track import TrackOutcome


def print_outcome(outcome: TrackOutcome, display: Display) -> None:
    """Tell people what was found, and where it was written."""
    name, notes = outcome.stack.path.name, outcome.notes
    if outcome.message:
        display.complain(f"{name}: {outcome.message}")
    for reply in notes.replies:
        display.say(f"{name}: {reply.phrase or reply.question} → {reply.readable}")
        if reply.cut_off:
            display.warn(
                f"{name}: the answer to '{reply.phrase or reply.question}' is cut off at the "
                "greatest length, so objects may be missing. Ask for fewer at a time."
            )
    for row in outcome.objects:
        where = "no plane"
        if row.frames:
            where = f"planes {row.first_frame} to {row.last_frame}, in {row.frames} of them"
        flagged = f", look at {format_planes(row.flagged)}" if row.flagged else ""
        display.say(f"  {row.label}  {row.phrase}  score {row.score:.2f}  {where}{flagged}")
    for path in outcome.files.values():
        display.say(f"  wrote {path}")
    words = dict.fromkeys(word for reply in notes.replies for word in reply.unknown_words)
    if words:
        display.warn(
            f"This model was not taught: {', '.join(words)}. It read that letter by letter, so do "
            "not rely on the answer."
        )


def outcome_as_json(outcome: TrackOutcome) -> dict[str, Any]:
    """Describe a run as values that JSON knows; what is not known is None."""
    notes, stack = outcome.notes, outcome.stack
    start, stop = notes.within
    height, width = stack.frames.shape
    described: dict[str, Any] = {
        "stack": str(stack.path),
        "status": status_of(outcome.code),
    }
    if outcome.message:
        described["message"] = outcome.message
    return described | {
        "axis": stack.axis,
        "planes": stack.length,
        "height": height,
        "width": width,
        "range": [start, stop - 1],
        "keys": list(notes.keys),
        "planes_done": len(outcome.records),
        "model": notes.model,
        "sam2_file": notes.sam2_file or None,
        "seconds": notes.done.seconds if notes.done else None,
        "replies": [asdict(reply) for reply in notes.replies],
        "objects": [
            {
                key: None if isinstance(value, float) and math.isnan(value) else value
                for key, value in asdict(row).items()
                if key not in ("stack", "model")
            }
            for row in outcome.objects
        ],
        "files": {kind: str(path) for kind, path in outcome.files.items()},
        "folder": str(outcome.folder),
    }
