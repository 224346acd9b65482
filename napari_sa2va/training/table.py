"""The table of what the demo checkpoint must do, and how it is filled in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.training.measure_clips import measure_clips
from napari_sa2va.training.measure_scenes import Scores, measure_scenes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_sa2va.model import Sa2VA


@dataclass(frozen=True, slots=True)
class Line:
    """One figure.

    Attributes
    ----------
    what : str
        As the table has it.
    names : tuple of str
        Scores that it is the mean of (`measure_scenes.Scores`).
    must, aim : float, or None
        Bounds; for a share of failures they are upper ones.
    lower_is_better : bool
    """

    what: str
    names: tuple[str, ...]
    must: float | None
    aim: float | None
    lower_is_better: bool = False


LINES: Final = (
    Line("IoU, color / size / shape / texture / combinations", ("IoU attributes",), 0.85, 0.92),
    Line("IoU, position", ("IoU position",), 0.55, 0.85),
    Line("IoU, superlatives", ("IoU superlative",), None, 0.80),
    Line("IoU, plural", ("IoU plural",), 0.65, 0.85),
    Line("absent objects refused", ("absent refused",), 0.60, 0.95),
    Line("present objects refused", ("present refused",), 0.15, 0.03, lower_is_better=True),
    Line("region descriptions, attributes right", ("region attributes",), 0.95, 0.98),
    Line("counts right, up to 6", ("counts",), None, 0.90),
    Line("grounded caption, objects named with IoU ≥ 0.7", ("caption objects",), 0.50, 0.90),
    Line("follow-up questions right", ("follow-ups",), None, 0.90),
    Line("comparisons of two regions right", ("comparisons",), None, None),
    Line("questions answered in words right", ("words",), None, None),
    Line("J, expression in the first frame, official", ("J expression, official",), 0.60, 0.80),
    Line("J, expression in the first frame, consistent", ("J expression, consistent",), 0.6, 0.85),
    Line("J, mask in the middle, both directions", ("J mask in the middle",), 0.75, 0.85),
    Line("identity kept at crossings", ("identity at crossings",), None, 0.90),
    Line("point to mask, IoU", ("IoU point",), 0.85, 0.92),
    Line("box to mask, IoU", ("IoU box",), 0.85, 0.92),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A line with its value (NaN: nothing was measured) and of how many it is the mean."""

    line: Line
    value: float
    count: int

    @property
    def verdict(self) -> str:
        """``"aim"``, ``"must"``, ``"missed"`` or nothing, by what is reached."""
        for name, bound in (("aim", self.line.aim), ("must", self.line.must)):
            if bound is None or np.isnan(self.value):
                continue
            if self.value <= bound if self.line.lower_is_better else self.value >= bound:
                return name
        return "" if self.line.must is None or np.isnan(self.value) else "missed"


def figures(scores: Scores) -> list[Figure]:
    """Put scores together, line by line."""
    found = []
    for line in LINES:
        values = [value for name in line.names for value in scores.values.get(name, [])]
        found.append(Figure(line, float(np.mean(values)) if values else float("nan"), len(values)))
    return found


def measure(
    model: Sa2VA,
    scenes: int,
    clips: int,
    frames: int,
    watched: Callable[[range, str], Iterable[int]] = lambda numbers, _: numbers,
) -> list[Figure]:
    """Measure everything on held-out scenes and clips.

    Parameters
    ----------
    watched : callable
        Wraps a range, with a word for what it counts, to show how far it is.
    """
    scores = Scores()
    measure_scenes(model, watched(range(scenes), "scenes"), scores)
    measure_clips(model, watched(range(clips), "clips"), frames, scores)
    return figures(scores)


def as_markdown(found: Iterable[Figure]) -> str:
    """Write figures as a Markdown table."""
    rows = ["| | reached | must | aim | of | |", "| --- | --- | --- | --- | --- | --- |"]
    for figure in found:
        line = figure.line
        bounds = ["" if bound is None else f"{bound:.2f}" for bound in (line.must, line.aim)]
        cells = [line.what, f"{figure.value:.3f}", *bounds, str(figure.count), figure.verdict]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def as_json(found: Iterable[Figure]) -> list[dict[str, Any]]:
    """Write figures as plain values."""
    return [
        {**asdict(figure.line), "value": figure.value, "count": figure.count} for figure in found
    ]
