"""What loading a checkpoint takes in memory; test_loading.py runs it in a process of its own.

``python loading_memory.py FOLDER`` prints bytes as JSON.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
from pathlib import Path

from napari_sa2va.errors import Cancelled
from napari_sa2va.model.checkpoint import load_network
from napari_sa2va.model.filling import give_back


def anonymous() -> int:
    gc.collect()  # earlier tests' models
    give_back()
    return now()


def now() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


class Peak:
    def __init__(self) -> None:
        self.before = self.bytes = anonymous()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self) -> Peak:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()
        self.bytes = max(self.bytes, now())

    def watch(self) -> None:
        while not self.done.wait(0.001):
            self.bytes = max(self.bytes, now())


def main(folder: Path) -> None:
    for _ in range(2):  # imports and buffers that stay are not the weights'
        load_network(folder)
    with Peak() as whole:
        network = load_network(folder)
    weights = sum(tensor.nbytes for tensor in network.state_dict().values())
    del network
    fractions: list[float] = []
    with Peak() as part:
        try:
            load_network(
                folder,
                progress=lambda _, fraction: fractions.append(fraction),
                cancelled=lambda: bool(fractions) and fractions[-1] > 0.6,
            )
        except Cancelled as error:
            kept = error  # and with it the frames
    sys.stdout.write(
        json.dumps(
            {
                "weights": weights,
                "whole": whole.bytes - whole.before,
                "part": part.bytes - part.before,
                "left": anonymous() - part.before,
                "kept": kept.__traceback__ is not None,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
