"""Memory while a long stack is tracked: a plane is read, encoded, tracked and dropped.

Each run has a process of its own, whose highest use of memory the system keeps. The stack lies in a
zarr array on disk, 512 x 512 pixels a plane; the masks are packed as the engine does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_sa2va.samples.scenes import make_clip, render

SIDE = 512
RISE = 150e6
# Cells of this scene: a large magenta one, a small blue one and a small yellow one, among others.
SCENE = 10_100_000
EXPRESSIONS = ("the large magenta round cell", "the small blue round cell", "the small yellow cell")

RUN = """
import json, sys
import zarr
from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.frames import ArrayFrames, Channel
from napari_sa2va.model import Sa2VA, TrackedFrame
from napari_sa2va.model.prompts import segmentation_question

def status(name):
    lines = open("/proc/self/status").read().splitlines()
    (line,) = [line for line in lines if line.startswith(name + ":")]
    return int(line.split()[1]) * 1024

stack, saved, check_every = sys.argv[1], sys.argv[2], int(sys.argv[3])
array = zarr.open_array(stack, mode="r")
frames = ArrayFrames(
    [array], [Channel((0.0, 255.0))], [(i, None, None) for i in range(array.shape[0])], rgb=[True]
)
model = Sa2VA.from_pretrained("demo", device="cpu")
texts = [segmentation_question(text) for text in sys.argv[4:]]
run = model.track(frames, texts, direction="both", keys=[10], check_every=check_every)
packed, peaks, used = {}, {}, {}
for part in run:
    if isinstance(part, TrackedFrame):
        packed[part.index] = [PackedMask.pack(mask) for mask in part.masks]
        if len(packed) % 25 == 0:
            run.state.save(saved)
        if len(packed) % 100 == 0:
            peaks[len(packed)], used[len(packed)] = status("VmHWM"), status("VmRSS")
areas = [[mask.area for mask in packed[index]] for index in sorted(packed)]
print(json.dumps({"peaks": peaks, "used": used, "areas": areas, "end": status("VmHWM")}))
"""


def write_stack(folder: Path, frames: int) -> Path:
    """Write cells that go to and fro, which costs less to draw than that many scenes."""
    drawn = [render(scene, t) for t, scene in enumerate(make_clip(SCENE, 24, SIDE))]
    there_and_back = [*drawn, *drawn[-2:0:-1]]
    path = folder / "stack.zarr"
    shape = (frames, SIDE, SIDE, 3)
    array = zarr.create_array(path, shape=shape, chunks=(1, *shape[1:]), dtype="uint8")
    for index in range(frames):
        array[index] = there_and_back[index % len(there_and_back)]
    return path


def assert_bounded(folder: Path, frames: int, check_every: int, seconds: float) -> None:
    stack = write_stack(folder, frames)
    arguments = [str(stack), str(folder / "state.safetensors"), str(check_every), *EXPRESSIONS]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN, *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps({key: told[key] for key in ("peaks", "used", "end")}))
    areas = np.array(told["areas"])
    assert areas.shape == (frames, len(EXPRESSIONS))
    assert (areas > 0).any(axis=0).all()
    assert told["end"] - told["peaks"]["100"] < RISE, told["peaks"]


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc"
)


@pytest.mark.slow
def test_two_hundred_planes(tmp_path: Path) -> None:
    assert_bounded(tmp_path, 200, 50, 280)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_thousand_planes(tmp_path: Path) -> None:
    assert_bounded(tmp_path, 2000, 50, 3500)
