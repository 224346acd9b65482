"""What every test stands on: private settings, no network, a screen, no worker left behind.

A run of more than a few files is shared by two processes (pytest-xdist, `-n auto`). This file is
imported in both and in the one that hands the tests out: settings, screen and threads are its own
in each.
"""

from __future__ import annotations

import functools
import gc
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import ReadWriteLock

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import ModuleType

    from napari_sa2va.model import Sa2VA

# napari reads NAPARI_CONFIG and huggingface_hub its own variables when they are imported, so both
# are set here, before any test module imports them: a test must never write a person's settings
# nor download.
# Where tests are handed out, the folder holds those of the processes that run them.
_SETTINGS = tempfile.mkdtemp(
    prefix="napari-sa2va-tests-", dir=os.environ.get("NAPARI_SA2VA_TESTS_FOLDER")
)
os.environ["NAPARI_SA2VA_TESTS_FOLDER"] = _SETTINGS
os.environ["NAPARI_CONFIG"] = str(Path(_SETTINGS) / "settings.yaml")
os.environ["NAPARI_SA2VA_DATA_FOLDER"] = str(Path(_SETTINGS) / "data")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HOME"] = str(Path(_SETTINGS) / "huggingface")
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_HUB_DISABLE_SYMLINKS_WARNING"] = "1"  # on Windows, and warnings are errors here
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# As many threads as CI has cores, in one process or in two; torch reads these when it is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("MKL_NUM_THREADS", os.environ["OMP_NUM_THREADS"])
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as the package does; for direct imports of torch

WINDOW_FIXTURES = frozenset({"qapp", "qtbot", "make_napari_viewer", "make_napari_viewer_proxy"})
WINDOW_FOLDERS = ("gui", "widgets")
VIRTUAL_SCREEN = "1600x1000x24"
# Milliseconds to wait for something in a window; pytest-qt gives up after 5 seconds.
PATIENCE = 60_000
# So many files are sooner read by one process than two processes are started.
FEW_FILES = 3

_xvfb: subprocess.Popen[bytes] | None = None
_no_display: str | None = None
_turns: ReadWriteLock | None = None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes share the tests; with 0 this one runs them.

    Windows on one screen take the keyboard from each other, so each process must be able to start
    a screen of its own.
    """
    asked = [config.invocation_params.dir / name.split("::")[0] for name in config.args]
    few = len(asked) <= FEW_FILES and all(path.is_file() for path in asked)
    screens = sys.platform.startswith("linux") and shutil.which("Xvfb") is not None
    return 2 if screens and not few and (os.cpu_count() or 1) > 1 else 0


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Name the lock of all to a process that will run tests, before it starts."""
    node.workerinput["turns"] = str(Path(_SETTINGS) / "turns")


def pytest_configure(config: pytest.Config) -> None:
    """Find a screen, or start a virtual one, before Qt looks for it."""
    global _no_display, _turns
    if config.option.collectonly or config.getoption("dist", "no") != "no":
        return  # runs no test
    given = getattr(config, "workerinput", None)
    _no_display = _find_display(own=given is not None)
    if given is not None:
        _turns = ReadWriteLock(given["turns"])


# The outermost, so that no timeout counts while a test waits for its turn.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test with the mark `alone` while no other process runs any.

    It measures how long something takes, which the work of a neighbour makes longer. Any number
    may read, one may write, and who waits to write is not overtaken by new readers.
    """
    if _turns is None:
        return (yield)
    alone = item.get_closest_marker("alone") is not None
    with _turns.write_lock() if alone else _turns.read_lock():
        return (yield)


def pytest_unconfigure() -> None:
    global _xvfb
    if _xvfb is not None:
        _xvfb.terminate()
        _xvfb.wait(timeout=10)
        _xvfb = None
        del os.environ["DISPLAY"]
    shutil.rmtree(_SETTINGS, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep Qt's fixtures from starting where there is no screen: Qt would abort the process."""
    if _no_display is None or not _needs_window(item):
        return
    if _must_have_display():
        pytest.fail(f"this test must run in CI and cannot: {_no_display}", pytrace=False)
    pytest.skip(_no_display)


@pytest.fixture(autouse=True)
def _collections_of_news_only(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave what was there before out of the collections that napari's fixture makes.

    It makes four a test, and each goes through all that was ever imported: 3 s a test by the end.
    Not in `gui`, whose tests see how the package itself handles collections.
    """
    if "widgets" not in request.path.parts:
        yield
        return
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def qtbot(qtbot: Any) -> Any:
    """Give pytest-qt's, with patience: what is waited for comes late on a machine that is busy."""
    qtbot.waitUntil = functools.partial(qtbot.waitUntil, timeout=PATIENCE)
    return qtbot


@pytest.fixture(scope="session")
def golden() -> ModuleType:
    """The module tests/model/golden.py: test folders are no packages."""
    path = Path(__file__).parent / "model" / "golden.py"
    spec = importlib.util.spec_from_file_location("golden_for_all", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_folder(golden: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real checkpoint of the InternVL family, small and with random weights."""
    folder: Path = golden.write_checkpoint("internvl", tmp_path_factory.mktemp("model") / "tiny")
    return folder


@pytest.fixture
def short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random model does not know when to stop: 16 tokens, as in the golden runs."""
    from napari_sa2va.model import Sa2VA

    for name in ("ask", "track"):
        long = getattr(Sa2VA, name)

        def short(self: Sa2VA, *arguments: Any, _long: Any = long, **options: Any) -> Any:
            return _long(self, *arguments, **{"max_new_tokens": 16} | options)

        monkeypatch.setattr(Sa2VA, name, short)


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """Forget after a test what its dock would remember: the next one starts like a new user's."""
    yield
    for file in Path(_SETTINGS).glob("napari-sa2va-dock.json"):
        file.unlink()
    known = sys.modules.get("napari_sa2va.viewer.preferences")
    if known is not None and (kept := known.get_plugin_settings().get(known.PLUGIN)):
        kept.reset()


@pytest.fixture(autouse=True)
def no_worker_left() -> Iterator[None]:
    """Fail a test that ends while one of its napari (superqt) workers still runs."""
    yield
    threading = sys.modules.get("superqt.utils._qthreading")
    if threading is None:
        return
    left = _wait_for_workers(threading.WorkerBase, seconds=2.0)
    if left:
        names = ", ".join(sorted(type(worker).__name__ for worker in left))
        threading.WorkerBase.await_workers(10_000)
        left.clear()
        pytest.fail(f"a worker was still running when the test ended: {names}", pytrace=False)


def _wait_for_workers(base: Any, seconds: float) -> set[Any]:
    """Give workers that are done the event loop they need to say so; return those that are not."""
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance()
    deadline = time.monotonic() + seconds
    while base._worker_set and application is not None and time.monotonic() < deadline:
        application.processEvents()
        time.sleep(0.01)
    workers: set[Any] = base._worker_set
    return workers


def _needs_window(item: pytest.Item) -> bool:
    folders = item.path.relative_to(Path(__file__).parent).parts[:-1]
    fixtures = set(getattr(item, "fixturenames", ()))
    return any(folder in WINDOW_FOLDERS for folder in folders) or bool(fixtures & WINDOW_FIXTURES)


def _must_have_display() -> bool:
    return any(
        os.environ.get(name, "").lower() not in ("", "0", "false")
        for name in ("CI", "NAPARI_SA2VA_REQUIRE_DISPLAY")
    )


def _find_display(own: bool) -> str | None:
    """Return None when windows can be opened, else why they cannot.

    With `own` a screen is started even if there is one, where that is possible.
    """
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if platform.split(":")[0] in ("offscreen", "minimal"):
        return f"QT_QPA_PLATFORM={platform} has no OpenGL, which napari's canvas needs"
    if not sys.platform.startswith("linux"):
        return None
    server = shutil.which("Xvfb")
    given = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if given and not (own and server):
        return None
    if server is None:
        return "no display: set DISPLAY, or install Xvfb (on Debian and Ubuntu: apt install xvfb)"
    return _start_xvfb(server)


def _start_xvfb(server: str) -> str | None:
    """Start a virtual screen on a free display number; return None, or why that failed."""
    global _xvfb
    reader, writer = os.pipe()
    command = [server, "-displayfd", str(writer), "-screen", "0", VIRTUAL_SCREEN]
    # It ends with this process, also if that is killed: pytest-xdist does so with one that takes
    # long to end.
    if (guard := shutil.which("setpriv")) is not None:
        command = [guard, "--pdeathsig", "TERM", *command]
    _xvfb = subprocess.Popen(
        [*command, "-nolisten", "tcp"],
        pass_fds=[writer],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    # Xvfb writes its number once it listens, or closes the pipe when it gives up.
    with os.fdopen(reader) as answer:
        number = answer.readline().strip()
    if not number:
        _xvfb.wait(timeout=10)
        _xvfb = None
        return "no display, and Xvfb did not start"
    os.environ["DISPLAY"] = f":{number}"
    os.environ["QT_QPA_PLATFORM"] = "xcb"
    return None
