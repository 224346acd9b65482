"""How long a click waits for its mask: ``python benchmarks/click.py [THREADS]``.

Prints, for the demo checkpoint on two threads and images of several sizes, the median and the
longest time of 30 clicks on an image that was asked about before (aim: under 150 ms): the first
click on an object, a second one that goes on from the first, a box, and paint. The load of the
machine is printed too. On a busy one the figures are upper bounds, and those of two threads far
above those of one: at the end of every parallel step each thread waits for the other's turn.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sa2va.model import Sa2VA
from napari_sa2va.samples.scenes import HELD_OUT_SEED, make_scene, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.samples.scenes import Scene

CLICKS = 30
SIDES = (256, 1024, 2048)


def timed(click: Callable[[], object]) -> str:
    """Return the median and the longest time of some clicks."""
    times = []
    for _ in range(CLICKS):
        start = time.perf_counter()
        click()
        times.append((time.perf_counter() - start) * 1000)
    return f"{np.median(times):6.1f} ms, longest {max(times):6.1f} ms"


def main() -> None:
    """Print the figures."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    torch.set_num_threads(threads)
    model = Sa2VA.from_pretrained("demo", device="cpu")
    sys.stdout.write(f"{threads} threads, load before: {load_now()}\n")
    scene = make_scene(HELD_OUT_SEED)
    for side in SIDES:
        measure(model, scene, side)
    sys.stdout.write(f"load after: {load_now()}\n")


def load_now() -> str:
    """Return the machine's load averages over 1, 5 and 15 minutes."""
    return ", ".join(f"{value:.1f}" for value in os.getloadavg()) + f" on {os.cpu_count()} cores"


def measure(model: Sa2VA, scene: Scene, side: int) -> None:
    """Print the figures for a scene drawn larger."""
    factor = side // scene.side
    image = render(scene).repeat(factor, axis=0).repeat(factor, axis=1)
    cell = scene.masks()[0].repeat(factor, axis=0).repeat(factor, axis=1)
    (row, other), (column, beside) = (
        (float(np.median(places)), float(places[0])) for places in cell.nonzero()
    )
    model.answer(image, "Please segment all cells in this image.")
    first = model.refine(image, [(row, column)], [1])
    box = (row - 20 * factor, column - 20 * factor, row + 20 * factor, column + 20 * factor)
    for name, click in (
        ("first click", lambda: model.refine(image, [(row, column)], [1])),
        (
            "second click",
            lambda: model.refine(
                image, [(row, column), (other, beside)], [1, 0], previous=first.logits
            ),
        ),
        ("box", lambda: model.refine(image, box=box)),
        ("paint", lambda: model.refine(image, mask=cell)),
    ):
        sys.stdout.write(f"{side:5} x {side:<5} {name:13} {timed(click)}\n")


if __name__ == "__main__":
    main()
