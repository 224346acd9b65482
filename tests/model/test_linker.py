"""transformers can be imported after a window was opened."""

from __future__ import annotations

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
