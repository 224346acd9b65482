"""A process that is killed at any moment loses no action that it had said was completed."""

from __future__ import annotations

import importlib.util
import queue
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from napari_sa2va.annotation.session.lock import ended_badly

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).with_name("session_script.py")
SEED = 11
MOST = 400
# So long the script may work before it is killed: folding and moving to the history come ten times
# a second in it.
SECONDS = 1.5


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("session_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Wanted:
    """What should be there after each action: the same script, not killed, as far as needed."""

    def __init__(self, script: Any, path: Path) -> None:
        self._script = script.Script(path, SEED)
        self._digests = [self._script.digest()]

    def after(self, number: int) -> str:
        while len(self._digests) <= number:
            self._script.act()
            self._digests.append(self._script.digest())
        return self._digests[number]

    def close(self) -> None:
        self._script.close()


@pytest.fixture(scope="module")
def wanted(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Wanted(script, tmp_path_factory.mktemp("wanted"))
    yield made
    made.close()


def completed_when_killed(folder: Path, seconds: float) -> int:
    """Run the script, kill it so long after it began, and return what it said last."""
    child = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), str(SEED)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=lambda: [lines.put(line) for line in child.stdout])
    reader.start()
    try:
        assert lines.get(timeout=120) == "ready\n"
        time.sleep(seconds)
    finally:
        child.kill()
        child.wait()
        reader.join()
        child.stdout.close()
    said = [0]
    while not lines.empty():
        line = lines.get()
        if line.endswith("\n"):  # the last one may be cut off
            said.append(int(line))
    return said[-1]


def check_killed(script: Any, wanted: Wanted, folder: Path, seconds: float) -> None:
    completed = completed_when_killed(folder, seconds)
    sessions = list(folder.glob("*.sa2va"))
    if not sessions:
        # Nothing had changed yet; or the first change, which nobody was told of.
        assert wanted.after(completed) == wanted.after(0)
        return
    (path,) = sessions
    assert ended_badly(path / "lock")
    assert script.digest_of(path) in (wanted.after(completed), wanted.after(completed + 1))


@pytest.mark.parametrize("number", range(10))
def test_killed_at_any_moment(
    number: int, script: ModuleType, wanted: Wanted, tmp_path: Path
) -> None:
    check_killed(script, wanted, tmp_path, random.Random(number).uniform(0, SECONDS))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_a_hundred_times(script: ModuleType, wanted: Wanted, tmp_path: Path) -> None:
    lot = random.Random()
    for number in range(100):
        folder = tmp_path / str(number)
        folder.mkdir()
        check_killed(script, wanted, folder, lot.uniform(0, 2 * SECONDS))
