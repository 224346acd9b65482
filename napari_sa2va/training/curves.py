"""Draw a run's log: ``python -m napari_sa2va.training.curves runs/demo/log.jsonl curves.png``.

Needs matplotlib (the ``docs`` extra).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def draw_curves(log: Path, picture: Path) -> None:
    """Draw every series of a run's log over minutes, losses above and figures below."""
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    names = sorted({name for row in rows for name in row} - {"step", "minutes", "rate"})
    figure = Figure(figsize=(9, 8), layout="constrained")
    losses, figures = figure.subplots(2, 1, sharex=True)
    for name in names:
        series = [(row["minutes"], row[name]) for row in rows if name in row]
        axes = figures if "IoU" in name else losses
        axes.plot(*zip(*series, strict=True), label=name, linewidth=1)
    # The presence loss falls by ten orders of magnitude; the others are what is looked at.
    losses.set(yscale="log", ylabel="loss, weighted", ylim=(5e-3, None))
    figures.set(xlabel="minutes", ylabel="IoU on training batches, words given", ylim=(0, 1))
    for axes in (losses, figures):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", ncols=3)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    draw_curves(Path(sys.argv[1]), Path(sys.argv[2]))
