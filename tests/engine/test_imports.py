"""Importing torch beside a window: other threads run meanwhile, and nothing is collected."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

from napari_sa2va.engine.imports import only_new_collected, uncollected

# In a process that has not imported torch; the main thread stands for the window's.
_SCRIPT = """
import threading, time
import pandas, scipy.ndimage
from napari_sa2va.engine.loading import load_model
from napari_sa2va.engine.request import ModelChoice
gaps, failed = [], []

def load():
    try:
        load_model(ModelChoice("demo", "cpu"), lambda report: None, lambda: False)
    except Exception as error:
        failed.append(repr(error))

loading = threading.Thread(target=load)
loading.start()
last = time.perf_counter()
while loading.is_alive():
    time.sleep(0.005)
    gaps.append(time.perf_counter() - last)
    last = time.perf_counter()
print(failed[0] if failed else max(gaps))
"""


@pytest.mark.alone
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="not tried elsewhere")
def test_other_threads_run_while_the_model_is_imported_and_loaded() -> None:
    measured = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, timeout=300
        )
        measured.append(float(done.stdout))
        if measured[-1] < 0.5:
            return
    pytest.fail(f"the longest waits in seconds: {measured}")


def test_objects_made_inside_are_old_and_collections_go_on_after() -> None:
    kept: list[list[int]] = []
    with uncollected():
        assert not gc.isenabled()
        kept.append([])
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert any(thing is kept for thing in gc.get_objects(generation=2))


def test_who_turned_collections_off_finds_them_off() -> None:
    gc.disable()
    try:
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_an_error_inside_turns_collections_on_again() -> None:
    with pytest.raises(ImportError), uncollected():
        raise ImportError("no such library")
    assert gc.isenabled()


class Knot:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.itself = self


def test_garbage_from_before_waits_until_the_run_is_over() -> None:
    old = Knot()
    gone = weakref.ref(old)
    with only_new_collected(), only_new_collected():  # two docks
        del old
        young = weakref.ref(Knot())
        with uncollected():
            pass
        gc.collect()
        assert gone() is not None
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert gone() is None
    assert young() is None


def test_new_garbage_is_collected_in_a_run() -> None:
    with only_new_collected():
        gone = weakref.ref(Knot())
        gc.collect()
        assert gone() is None
