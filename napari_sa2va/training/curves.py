"""Curves of training runs, from their logs; needs matplotlib (the ``docs`` extra)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SMOOTHED: Final = 5  # rows that a point is the mean of
_NOT_SERIES: Final = {"step", "minutes", "rate"}


def read_logs(logs: Sequence[Path]) -> tuple[list[dict[str, float]], list[float]]:
    """Read logs of runs that followed each other.

    Returns
    -------
    rows : list of dict
        With ``minutes`` from the first run's beginning.
    ends : list of float
        When each run ended.
    """
    rows: list[dict[str, float]] = []
    ends: list[float] = []
    for log in logs:
        begun = ends[-1] if ends else 0.0
        found = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        rows += [{**row, "minutes": begun + row["minutes"]} for row in found]
        ends.append(rows[-1]["minutes"] if rows else begun)
    return rows, ends


def draw_curves(logs: Sequence[Path], picture: Path) -> None:
    """Draw every series of some runs over minutes: losses above, shares and IoU below."""
    from matplotlib.figure import Figure

    rows, ends = read_logs(logs)
    names = sorted({name for row in rows for name in row} - _NOT_SERIES)
    figure = Figure(figsize=(10, 9), layout="constrained")
    losses, shares = figure.subplots(2, 1, sharex=True)
    for name in names:
        series = np.array([(row["minutes"], row[name]) for row in rows if name in row])
        axes = shares if "IoU" in name or "right" in name else losses
        # matplotlib has ten colours.
        style = "-" if len(axes.lines) < 10 else "--"
        axes.plot(*_smooth(series).T, label=name, linewidth=1, linestyle=style)
    losses.set(yscale="log", ylabel="loss, weighted", ylim=(3e-3, None))
    shares.set(xlabel="minutes", ylabel="on training batches, words given", ylim=(0, 1))
    for axes in (losses, shares):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", ncols=3)
        for log, end in zip(logs[:-1], ends[:-1], strict=True):
            axes.axvline(end, color="gray", linewidth=1, linestyle=":")
            axes.annotate(log.parent.name, (end, 1), xycoords=("data", "axes fraction"), ha="right")
    figure.savefig(picture, dpi=110)


def _smooth(series: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Take running means, each of as many rows as there are up to five."""
    count = min(_SMOOTHED, len(series))
    kernel = np.ones(count) / count
    return np.stack([np.convolve(column, kernel, mode="valid") for column in series.T], axis=1)
