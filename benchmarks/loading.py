"""Loading a checkpoint: seconds, peak memory, progress, and what cancelling leaves.

``python benchmarks/loading.py [FOLDER] [--name Sa2VA-InternVL3-2B] [--dtype float32 …]``

Without a folder, a checkpoint with random weights is written to a temporary one
(`random_checkpoint`) and deleted afterwards. Each figure is of a process of its own. Memory is the
anonymous memory of the process (``RssAnon`` of Linux), looked at every 2 ms: pages of the mapped
files are the kernel's, which takes them back at will. The aim is 1.15 times the weights in the
chosen dtype, and 300 MB.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import random_checkpoint

MB = 1e6
FACTOR, MORE = 1.15, 300 * MB


class Peak:
    """Watches this process's anonymous memory; a context manager."""

    def __init__(self) -> None:
        self.bytes = self.before = anonymous()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.bytes = max(self.bytes, anonymous())

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self.bytes = max(self.bytes, anonymous())


def anonymous() -> int:
    """Return this process's anonymous memory in bytes (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("This kernel does not tell RssAnon.")


def load(folder: Path, dtype: str, device: str) -> dict[str, Any]:
    """Load once, and cancel once in the middle of a second time."""
    from napari_sa2va import Sa2VA
    from napari_sa2va.errors import Cancelled

    # Libraries, and what building a network leaves in them, are not the checkpoint's.
    import_all = Sa2VA.from_pretrained("demo", "cpu", "float32")
    import_all.unload()
    seen: list[tuple[str, float]] = []
    with Peak() as peak:
        began = time.perf_counter()
        model = Sa2VA.from_pretrained(
            folder, device, dtype, lambda message, fraction: seen.append((message, fraction))
        )
        seconds = time.perf_counter() - began
    weights, loaded = model.bytes_held, anonymous()
    model.unload()
    del model
    gc.collect()
    unloaded = anonymous()
    shards: dict[str, float] = {}
    for message, fraction in seen:
        shards[message.removeprefix("Reading ")] = fraction
    middle = next(iter(shards.values())) + 0.2
    fractions: list[float] = []
    kept = None
    with Peak() as cancelled:
        try:
            Sa2VA.from_pretrained(
                folder,
                device,
                dtype,
                lambda _, fraction: fractions.append(fraction),
                lambda: bool(fractions) and fractions[-1] > middle,
            )
        except Cancelled as error:
            kept = error  # as a window that shows it does
    after = anonymous()
    assert kept is not None
    return {
        "seconds": seconds,
        "weights": weights,
        "peak": peak.bytes - peak.before,
        "loaded": loaded - peak.before,
        "unloaded": unloaded - peak.before,
        "shards": shards,
        "reports": len(seen),
        "cancelled at": fractions[-1],
        "cancelled peak": cancelled.bytes - cancelled.before,
        "cancelled after": after - cancelled.before,
    }


def report(name: str, found: dict[str, Any]) -> None:
    """Print the figures of one dtype."""
    limit = FACTOR * found["weights"] + MORE
    verdict = "kept" if found["peak"] <= limit else "MISSED"
    lines = [
        f"{name}: loaded in {found['seconds']:.1f} s",
        f"  weights {found['weights'] / MB:,.0f} MB, peak {found['peak'] / MB:,.0f} MB, "
        f"limit {limit / MB:,.0f} MB: {verdict}",
        f"  memory after loading {found['loaded'] / MB:,.0f} MB, "
        f"after unloading {found['unloaded'] / MB:,.0f} MB",
        f"  {found['reports']} reports of progress: "
        + ", ".join(f"{shard} up to {100 * done:.0f} %" for shard, done in found["shards"].items()),
        f"  cancelled at {100 * found['cancelled at']:.0f} % with "
        f"{found['cancelled peak'] / MB:,.0f} MB: {found['cancelled after'] / MB:,.0f} MB left",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--name", default="Sa2VA-InternVL3-2B")
    parser.add_argument("--stored", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16", "int8"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.alone:
        sys.stdout.write(json.dumps(load(chosen.folder, chosen.dtype[0], chosen.device)))
        return
    with tempfile.TemporaryDirectory(prefix="sa2va-") as temporary:
        folder = chosen.folder
        if folder is None:
            import torch

            stored = getattr(torch, chosen.stored)
            folder = random_checkpoint.write(chosen.name, Path(temporary) / "checkpoint", stored)
        for dtype in chosen.dtype:
            command = [sys.executable, __file__, str(folder), "--dtype", dtype]
            command += ["--device", chosen.device, "--alone"]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            report(dtype, json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
