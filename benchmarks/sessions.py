"""How long the window waits for the log of a session: ``python benchmarks/sessions.py [FOLDER]``.

On a 2048 by 2048 int32 layer with 1000 objects: a brush stroke, a rename, and a fill of the whole
plane, each from the finished action to the entry on the disk; what of it is fsync; and how long
folding takes, in its own thread.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")
os.environ["NAPARI_SA2VA_DATA_FOLDER"] = tempfile.mkdtemp()

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels

from napari_sa2va.annotation import ObjectRecord, ObjectTable
from napari_sa2va.annotation.actions import Action
from napari_sa2va.viewer import object_actions
from napari_sa2va.viewer.results import results_of
from napari_sa2va.viewer.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.viewer.recorder import Recorder

SIDE, OBJECTS = 2048, 1000


def scene() -> tuple[np.ndarray[Any, Any], list[ObjectRecord]]:
    """Return a plane full of disks, and their rows."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    plane = np.zeros((SIDE, SIDE), np.int32)
    records = []
    for label in range(1, OBJECTS + 1):
        row, column = divmod(label - 1, 40)
        centre = 30 + row * 80 + rng.integers(-8, 8), 25 + column * 50 + rng.integers(-8, 8)
        box = tuple(slice(max(c - 20, 0), c + 20) for c in centre)
        inside = np.hypot(rows[box] - centre[0], columns[box] - centre[1]) < rng.uniform(8, 18)
        plane[box][inside] = label
        records.append(
            ObjectRecord(label, f"cell {label}", "", 0.9, 0.9, 1.0, "pixel", "demo", "now")
        )
    return plane, records


def timed(what: Callable[[int], object], times: int = 12) -> str:
    """Return the median and the longest of some calls, in milliseconds."""
    taken = []
    for number in range(times):
        before = time.perf_counter()
        what(number)
        taken.append((time.perf_counter() - before) * 1000)
    return f"median {statistics.median(taken):6.1f} ms, longest {max(taken):6.1f} ms"


def main() -> None:
    """Print a line for each."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    plane, records = scene()
    viewer = ViewerModel()
    labels = Labels(plane, features=ObjectTable(records).features(), name="benchmark")
    viewer.add_layer(labels)
    sessions = Sessions(viewer)
    sessions.folder = folder
    sessions.hold()
    objects = results_of(viewer).of(labels)
    recorder: Recorder = sessions.recorders[0]
    everything = (slice(0, SIDE), slice(0, SIDE))

    def write(*boxes: Any) -> None:
        recorder.write(Action("paint", "Paint", boxes, (1,)))

    def show(name: str, taken: str) -> None:
        sys.stdout.write(f"{name:34} {taken}\n")

    show("first action, makes the session", timed(lambda _: write(everything), 1))
    strokes = [(slice(r, r + 60), slice(r, r + 300)) for r in range(100, 1600, 100)]
    show("brush stroke, 60 by 300", timed(lambda n: write(strokes[n])))
    show("1000 objects, whole plane", timed(lambda _: write(everything)))
    show(
        "rename, its entry and all else",
        timed(lambda n: object_actions.rename(objects, [n + 1], f"renamed {n}")),
    )
    labels.data[...] = 7
    show("plane of one label", timed(lambda _: write(everything)))
    labels.data[...] = np.random.default_rng(0).integers(0, 1000, plane.shape)
    show("noise, the worst there is", timed(lambda _: write(everything), 3))
    fsync = os.fsync
    os.fsync = lambda _: None  # type: ignore[assignment]
    show("brush stroke, without fsync", timed(lambda n: write(strokes[n])))
    os.fsync = fsync
    session = recorder.session
    assert session is not None
    show("folding all that (own thread)", timed(lambda _: session.fold(), 1))
    size = sum(file.stat().st_size for file in session.path.rglob("*") if file.is_file())
    sys.stdout.write(f"{size / 1e6:.1f} MB in {session.path}\n")
    sessions.release()


if __name__ == "__main__":
    main()
