"""transformers can be imported after a window was opened."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_SCRIPT = """
import napari
viewer = napari.Viewer(show=True)
for _ in range(10):
    napari.qt.get_qapp().processEvents()
from napari_sa2va import Sa2VA
print("imported", Sa2VA.__name__)
viewer.close()
"""


@pytest.mark.usefixtures("qapp")  # needs a screen
def test_the_model_can_be_imported_beside_a_canvas() -> None:
    """Two LLVMs in one process crashed the interpreter here, see `napari_sa2va.model.linker`."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "imported Sa2VA" in done.stdout


_LIBRARIES = """
import os, sys
from napari_sa2va.model.linker import load_torch_libraries
load_torch_libraries()
assert "torch" not in sys.modules
print(os.environ.get("GOMP_SPINCOUNT"), "libtorch_python" in open("/proc/self/maps").read())
import torch
print(torch.ones(3).sum().item())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="done on Linux only")
@pytest.mark.parametrize(
    ("own", "count"),
    [({}, "1000"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None"), ({"GOMP_SPINCOUNT": "7"}, "7")],
)
def test_torchs_libraries_are_loaded_before_torch(own: dict[str, str], count: str) -> None:
    theirs = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
    environment = {k: v for k, v in os.environ.items() if k not in theirs} | own
    done = subprocess.run(
        [sys.executable, "-c", _LIBRARIES],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [count, "True", "3.0"]
