"""What fewer bits cost in quality: ``python benchmarks/precision.py [--scenes 40] [--dtype …]``.

The demo checkpoint's figures on held-out scenes (`training.measure_scenes`), in one number format
after the other, float32 first. ``int4`` needs bitsandbytes, whose layers run on a processor too.
"""

from __future__ import annotations

import argparse
import sys

import torch

from napari_sa2va import Sa2VA
from napari_sa2va.model.checkpoint import load_network
from napari_sa2va.model.tokenizer import Tokenizer
from napari_sa2va.samples import demo_folder
from napari_sa2va.training.measure_scenes import Scores, measure_scenes
from napari_sa2va.training.table import figures


def demo(dtype: str) -> Sa2VA:
    """Load the demo checkpoint; in 4 bits also where only CUDA is offered."""
    if dtype != "int4":
        return Sa2VA.from_pretrained("demo", "cpu", dtype)
    network = load_network(demo_folder(), "cpu", torch.int4)
    return Sa2VA(network, Tokenizer(demo_folder()), "demo")


def main() -> None:
    """Print a line for each number format."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16", "int8"])
    chosen = parser.parse_args()
    for dtype in chosen.dtype:
        model = demo(dtype)
        scores = Scores()
        measure_scenes(model, range(chosen.scenes), scores)
        found = [figure for figure in figures(scores) if figure.count]
        said = ", ".join(f"{f.line.what} {f.value:.3f} of {f.count}" for f in found)
        sys.stdout.write(f"{dtype}: {said}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
