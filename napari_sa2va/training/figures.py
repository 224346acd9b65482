"""``python -m napari_sa2va.training.figures``: the pictures of docs/demo-model.md.

Curves of the stages that are named, in their order; a sheet of the drawn world; a sheet of what a
checkpoint gets right and wrong. Needs matplotlib (the ``docs`` extra).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_sa2va.model import Sa2VA
from napari_sa2va.samples import demo_folder
from napari_sa2va.training.answers import draw_answers
from napari_sa2va.training.curves import draw_curves
from napari_sa2va.training.loop import LOG
from napari_sa2va.training.sheet import draw_world


def main(arguments: list[str] | None = None) -> None:
    """Draw ``demo-curves.png``, ``demo-world.png`` and ``demo-answers.png``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="*", help="folders of stages; none: no curves")
    parser.add_argument("--folder", type=Path, default=demo_folder(), help="checkpoint")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--scenes", type=int, default=30, help="to ask about")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.runs:
        draw_curves([run / LOG for run in options.runs], options.out / "demo-curves.png")
    draw_world(options.out / "demo-world.png")
    model = Sa2VA.from_pretrained(options.folder, device=options.device)
    draw_answers(model, options.out / "demo-answers.png", options.scenes)


if __name__ == "__main__":
    main()
