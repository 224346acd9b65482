"""``python -m napari_sa2va.training.evaluate``: what a demo checkpoint can do, in figures.

It prints the table of what the demo must do (`table`), on held-out scenes and clips only, through
the same inference that the dock and the command line use.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track

from napari_sa2va.model import Sa2VA
from napari_sa2va.samples import demo_folder
from napari_sa2va.training.table import as_json, as_markdown, measure


def main(arguments: list[str] | None = None) -> None:
    """Print the figures, and write them as JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=demo_folder())
    parser.add_argument("--quick", action="store_true", help="a few scenes and clips, a minute")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--frames", type=int, default=24, help="of a clip")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if options.quick:
        options.scenes, options.clips, options.frames = 6, 2, 8
    model = Sa2VA.from_pretrained(options.folder, device=options.device)
    start = time.perf_counter()
    told = Console(stderr=True)
    found = measure(
        model,
        options.scenes,
        options.clips,
        options.frames,
        lambda numbers, what: track(numbers, what, console=told),
    )
    minutes = (time.perf_counter() - start) / 60
    console = Console(soft_wrap=True)
    console.print(
        f"{options.scenes} held-out scenes, {options.clips} clips of {options.frames} frames and "
        f"as many crossings, {minutes:.1f} min"
    )
    console.print(as_markdown(found), markup=False, highlight=False)
    if options.json:
        options.json.write_text(json.dumps(as_json(found), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
