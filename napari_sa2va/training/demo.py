"""``python -m napari_sa2va.training.demo``: train the demo checkpoint.

``--stage look|talk|follow|all`` is a stage from the checkpoint folder ``--start``: the shipped one
by default, or ``nothing``. Interrupted, it goes on where it was when it is started again with the
same ``--folder``; ``--export-only`` writes what is there.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from napari_sa2va.samples import demo_folder
from napari_sa2va.training.finetune import positive, quietly
from napari_sa2va.training.growing import start_from
from napari_sa2va.training.stage_run import Options, StageRun
from napari_sa2va.training.stages import STAGES
from napari_sa2va.training.weights import LossWeights
from napari_sa2va.training.world_clips import MOST_FRAMES

_SEEDS_OF_A_STAGE = 1_200_000


def main(arguments: list[str] | None = None) -> None:
    """Train, or go on training what ``--folder`` holds."""
    options = _parser().parse_args(arguments)
    quietly(options)
    torch.set_flush_denormal(True)
    torch.manual_seed(options.seed)
    try:
        _stage(options)
    finally:
        torch.set_flush_denormal(False)  # it holds for all of the process


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stage", choices=STAGES, default="all")
    parser.add_argument("--folder", type=Path, help="default: runs/STAGE")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--export", type=Path, help="checkpoint folder; default: FOLDER/checkpoint")
    parser.add_argument("--export-only", action="store_true")
    parser.add_argument("--seed", type=int, default=0, help="of weights that start at random")
    parser.add_argument("--hours", type=positive, default=2.0)
    parser.add_argument(
        "--start",
        default=str(demo_folder()),
        help="checkpoint folder, or the folder of a stage; 'nothing' for none",
    )
    parser.add_argument("--images", type=int, default=4, help="images in a step")
    parser.add_argument("--questions", type=int, default=8, help="dialogues about an image")
    parser.add_argument("--clips", type=int, default=2, help="clips in a step on memory")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    parser.add_argument("--autocast", choices=["auto", "yes", "no"], default="auto")
    parser.add_argument("--save-minutes", type=float, default=4.0)
    for name in ("rate", "final_share", "clip_share", "tiled", "memory_factor"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float)
    for name in ("warm_up", "heads_first"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    parser.add_argument("--clip-frames", type=int, choices=range(2, MOST_FRAMES + 1))
    parser.add_argument("--mix", action="append", default=[], metavar="KIND=WEIGHT")
    parser.add_argument("--loss", action="append", default=[], metavar="LOSS=WEIGHT")
    return parser


def _stage(options: argparse.Namespace) -> None:
    changed: dict[str, Any] = {
        name: getattr(options, name)
        for name in (
            "rate",
            "final_share",
            "clip_share",
            "tiled",
            "memory_factor",
            "warm_up",
            "heads_first",
            "clip_frames",
        )
        if getattr(options, name) is not None
    }
    stage = replace(STAGES[options.stage], **changed).with_mix(options.mix)
    device = torch.device(options.device)
    folder = options.folder or Path("runs") / options.stage
    source = None if options.start == "nothing" else Path(options.start)
    earlier = source
    if source is not None and (source / "checkpoint").is_dir():
        source = source / "checkpoint"
    place = list(STAGES).index(options.stage)
    run = StageRun(
        start_from(source),
        stage,
        Options(
            hours=options.hours,
            images=options.images,
            questions=options.questions,
            clips=options.clips,
            workers=options.workers,
            autocast=options.autocast == "yes"
            or (options.autocast == "auto" and device.type == "cuda"),
            save_minutes=options.save_minutes,
            first_seed=place * _SEEDS_OF_A_STAGE,
        ),
        folder,
        device,
        LossWeights().changed(options.loss),
    )
    if earlier is not None:
        run.take_up(earlier / "state.pt")
    if not options.export_only:
        run.train()
    run.export(options.export or folder / "checkpoint")


if __name__ == "__main__":
    main()
