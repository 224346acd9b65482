"""The test suite's own promises: windows never silently untested in CI, no worker left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

WINDOW = """
def test_window(qtbot):
    from qtpy.QtWidgets import QLabel
    label = QLabel("x")
    qtbot.addWidget(label)
    label.show()
    qtbot.waitExposed(label)
"""
WORKER = """
import time
from superqt.utils import create_worker

def test_waits(qtbot):
    worker = create_worker(time.sleep, 0.05, _start_thread=True)
    with qtbot.waitSignal(worker.finished):
        pass

def test_leaves_one(qtbot):
    create_worker(time.sleep, 4, _start_thread=True)
"""
SHARED = """
import os, time, pytest

def say(name):
    began = time.time()
    time.sleep(0.2)
    print(name, os.environ["PYTEST_XDIST_WORKER"], os.environ["DISPLAY"], began, time.time())

@pytest.mark.parametrize("number", range(6))
def test_other(number):
    say("SAID other")

@pytest.mark.alone
@pytest.mark.parametrize("number", range(2))
def test_alone(number):
    say("SAID alone")
"""
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="about Linux displays")
needs_xvfb = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")


def run(folder: Path, test: str, *options: str, **environment: str) -> str:
    """Run a test file beside a copy of our conftest.py; return what pytest printed."""
    shutil.copy(Path(__file__).with_name("conftest.py"), folder / "conftest.py")
    (folder / "test_it.py").write_text(test)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = ignore\n")
    unset = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "CI", "NAPARI_SA2VA_REQUIRE_DISPLAY"}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "pytestqt.plugin", *options, str(folder)],
        env={**kept, **environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout + done.stderr


@linux_only
def test_without_a_screen_a_user_sees_a_skip_with_a_reason(tmp_path: Path) -> None:
    printed = run(tmp_path, WINDOW, PATH="/nowhere")
    assert "1 skipped" in printed
    assert "install Xvfb" in printed


@linux_only
@pytest.mark.parametrize("variable", ["CI", "NAPARI_SA2VA_REQUIRE_DISPLAY"])
def test_without_a_screen_ci_fails(tmp_path: Path, variable: str) -> None:
    printed = run(tmp_path, WINDOW, PATH="/nowhere", **{variable: "1"})
    assert "1 failed" in printed or "1 error" in printed
    assert "must run in CI" in printed


@linux_only
@needs_xvfb
def test_a_screen_is_started_and_stopped(tmp_path: Path) -> None:
    test = WINDOW + "    import os\n    print('screen', os.environ['DISPLAY'])\n"
    printed = run(tmp_path, test)
    assert "1 passed" in printed
    number = printed.split("screen :")[1].split()[0]
    assert not Path(f"/tmp/.X11-unix/X{number}").exists()


@linux_only
@needs_xvfb
def test_a_worker_left_running_fails_its_test(tmp_path: Path) -> None:
    printed = run(tmp_path, WORKER)
    assert "PASSED test_it.py::test_waits" in printed
    assert "a worker was still running when the test ended: FunctionWorker" in printed
    assert "ERROR test_it.py::test_leaves_one" in printed


@linux_only
@needs_xvfb
def test_two_processes_have_a_screen_each_and_let_a_test_be_alone(tmp_path: Path) -> None:
    printed = run(tmp_path, SHARED, "-p", "xdist", "-n", "2", DISPLAY=":7777")
    assert "8 passed" in printed
    said = [line.split()[1:] for line in printed.splitlines() if line.startswith("SAID")]
    assert len({(worker, screen) for _, worker, screen, *_ in said}) == 2
    screens = {screen for _, _, screen, *_ in said} - {":7777"}
    assert len(screens) == 2
    sockets = [Path(f"/tmp/.X11-unix/X{screen[1:]}") for screen in screens]
    end = time.monotonic() + 30
    while any(socket.exists() for socket in sockets) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(socket.exists() for socket in sockets), "a screen was left behind"
    times = [(kind, float(began), float(ended)) for kind, _, _, began, ended in said]
    for kind, began, ended in times:
        met = [kind for kind, start, end in times if start < ended and began < end]
        assert kind == "other" or met == ["alone"], times
