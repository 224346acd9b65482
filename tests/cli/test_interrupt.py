from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

# A thread that nobody can stop, as one that imports torch.
PROGRAM = """
import time
from concurrent.futures import ThreadPoolExecutor
from napari_sa2va.cli.interrupt import cancel_on_interrupt
with cancel_on_interrupt() as cancelled, ThreadPoolExecutor(1) as pool:
    pool.submit(time.sleep, {seconds})
    print("ready", flush=True)
    while not cancelled.is_set():
        time.sleep(0.01)
print("stopped", flush=True)
"""


def start(seconds: float) -> subprocess.Popen[str]:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(seconds=seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    return program


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to one process")
class TestInterrupting:
    def test_the_first_time_stops_in_order_and_says_so(self) -> None:
        program = start(0.1)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
        assert program.returncode == 0
        assert out == "stopped\n"
        assert "Ctrl+C again ends at once" in err

    def test_the_second_time_waits_for_nobody(self) -> None:
        program = start(50)
        program.send_signal(signal.SIGINT)
        assert program.stderr is not None
        while "Ctrl+C again" not in program.stderr.readline():
            assert program.poll() is None
        pressed = time.monotonic()
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
        assert time.monotonic() - pressed < 10
        assert program.returncode == 130
        assert (out, err) == ("", "")
