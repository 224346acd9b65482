"""``python -m napari_sa2va.training.demo``: train the demo checkpoint from nothing.

Interrupted, it goes on where it was when started again. ``--export-only`` writes what is there.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import torch

from napari_sa2va.model.checkpoint import save_checkpoint
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.network import Sa2VANetwork
from napari_sa2va.training.demo_config import demo_config
from napari_sa2va.training.initialise import initialise
from napari_sa2va.training.run import Run
from napari_sa2va.training.schedule import Schedule
from napari_sa2va.training.vocabulary import build_tokenizer, save_tokenizer


def main() -> None:
    """Train, or go on training what ``--folder`` holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/demo"))
    parser.add_argument("--minutes", type=float, default=Schedule().minutes)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--export", type=Path, help="checkpoint folder; default: FOLDER/checkpoint")
    parser.add_argument("--export-only", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    config = demo_config(tokenizer.get_vocab_size())
    network = Sa2VANetwork(Sa2VAConfig.from_dict(config))
    initialise(network)
    schedule = replace(Schedule(), minutes=options.minutes)
    run = Run(network, tokenizer, schedule, options.folder, torch.device(options.device))
    if not options.export_only:
        run.train()
    save_tokenizer(tokenizer, options.folder)
    save_checkpoint(
        network, config, options.folder, options.export or options.folder / "checkpoint"
    )


if __name__ == "__main__":
    main()
