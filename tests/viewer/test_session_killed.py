"""A process that is killed at any moment loses no action that it had said was completed."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
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


class Children:
    """Runs the script in processes of its own, and kills them."""

    def __init__(self) -> None:
        # Loading napari takes seconds, which children of one process share.
        self._server = None
        if sys.platform == "linux":
            self._server = began("--serve", str(SEED), stdin=subprocess.PIPE)

    def completed_when_killed(self, folder: Path, seconds: float) -> int:
        """Run the script, kill it so long after it began, and return what it said last."""
        said, child = folder / "said", None
        if self._server is not None:
            assert self._server.stdin is not None and self._server.stdout is not None
            self._server.stdin.write(f"{folder}\n")
            self._server.stdin.flush()
            pid = int(self._server.stdout.readline())
        else:
            with said.open("w") as file:
                child = began(str(folder), str(SEED), stdout=file)
            pid = child.pid
        try:
            end = time.monotonic() + 120
            while not (said.exists() and said.read_text().startswith("ready\n")):
                assert time.monotonic() < end
                time.sleep(0.02)
            time.sleep(seconds)
        finally:
            if child is None:
                os.kill(pid, signal.SIGKILL)
                assert self._server is not None and self._server.stdout is not None
                assert self._server.stdout.readline() == "ended\n"
            else:
                child.kill()
                child.wait()
        lines = said.read_text().splitlines(keepends=True)
        # The last one may be cut off.
        return max([0, *(int(line) for line in lines[1:] if line.endswith("\n"))])

    def close(self) -> None:
        if self._server is not None:
            self._server.communicate()  # ends with its input


def began(*arguments: str, stdin: Any = None, stdout: Any = subprocess.PIPE) -> Any:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.fixture(scope="module")
def children() -> Any:
    made = Children()
    yield made
    made.close()


def check_killed(
    script: Any, wanted: Wanted, children: Children, folder: Path, seconds: float
) -> None:
    completed = children.completed_when_killed(folder, seconds)
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
    number: int, script: ModuleType, wanted: Wanted, children: Children, tmp_path: Path
) -> None:
    check_killed(script, wanted, children, tmp_path, random.Random(number).uniform(0, SECONDS))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_a_hundred_times(
    script: ModuleType, wanted: Wanted, children: Children, tmp_path: Path
) -> None:
    lot = random.Random()
    for number in range(100):
        folder = tmp_path / str(number)
        folder.mkdir()
        check_killed(script, wanted, children, folder, lot.uniform(0, 2 * SECONDS))
