"""``python -m napari_sa2va.training.finetune DATA``: continue a checkpoint on a lab's own images.

DATA is a folder, or several, in the official fine-tuning format: ``images/`` and
``annotations.json``, as the export "Sa2VA fine-tuning" writes it. Interrupted, a run goes on where
it was when it is started again with the same ``--folder``. It says how well the images that are
held out are found, before and after, and leaves an ordinary checkpoint in ``FOLDER/checkpoint``.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from rich.console import Console

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.io.atomic import check_folder, replacing
from napari_sa2va.model.device import choose_device
from napari_sa2va.training.checking import (
    CHECKPOINT,
    check,
    check_apart,
    examples_identity,
    start_identity,
)
from napari_sa2va.training.folder import held_out, read_folder
from napari_sa2va.training.lessons import MIX
from napari_sa2va.training.measure_folder import Measured, measure_checkpoint, report
from napari_sa2va.training.stages import Stage
from napari_sa2va.training.tuning import Tuning, TuningRun
from napari_sa2va.training.weights import LossWeights
from napari_sa2va.zoo.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sa2va.training.folder import Example

_log = logging.getLogger(__name__)

_OWN_WORLD: Final = "demo"
_PARTS_TOLD: Final = 20  # of a download
_DEFAULT: Final = "default: %(default)s"  # argparse fills it in


def tune(
    tuning: Tuning,
    examples: Sequence[Example],
    measured: dict[str, list[Example]],
    others: Sequence[Example] = (),
    device: str = "auto",
) -> dict[str, tuple[Measured, Measured]]:
    """Fine-tune, and measure before and after.

    Parameters
    ----------
    measured : dict
        Images to measure on, by a name for the report; empty sets are left out.
    others : sequence of Example
        To rehearse.

    Returns
    -------
    dict
        For each of `measured`, figures of the checkpoint that it began with and of the new one.

    Raises
    ------
    CheckpointError, InvalidInput, NotEnoughMemory
    """
    check(tuning, examples, others)
    sets = {name: images for name, images in measured.items() if images}
    check_folder(tuning.folder)
    before = _before(tuning, sets, device)
    run = TuningRun(tuning, examples, others, choose_device(device))
    run.train()
    del run  # its memory is needed to load the checkpoint
    after = measure_checkpoint(tuning.folder / CHECKPOINT, sets, device)
    found = {name: (before[name], after[name]) for name in sets}
    rows = {
        name: {"before": old.as_json(), "after": new.as_json()}
        for name, (old, new) in found.items()
    }
    with replacing(tuning.folder / "figures.json") as path:
        path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return found


def _before(tuning: Tuning, sets: dict[str, list[Example]], device: str) -> dict[str, Measured]:
    """Measure the checkpoint to start from, unless an interrupted run has done just that."""
    path = tuning.folder / "before.json"
    of = {
        **start_identity(tuning.start),
        "sets": {name: examples_identity(images) for name, images in sets.items()},
    }
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # none, or cut short
        kept = {}
    if kept.get("of") == of:
        return {name: Measured.from_json(rows) for name, rows in kept["measured"].items()}
    found = measure_checkpoint(tuning.start, sets, device)
    rows = {name: one.as_json() for name, one in found.items()}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"of": of, "measured": rows}, indent=1), encoding="utf-8")
    return found


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what any fine-tuning can be told."""
    add = parser.add_argument
    add("--start", default=_OWN_WORLD, help=f"checkpoint folder, name or Hub id; {_DEFAULT}")
    add("--minutes", type=positive, default=10.0, help=f"of training; {_DEFAULT}")
    add(
        "--train",
        choices=["all", "parts"],
        default="all",
        help="all: every weight; parts: the projector, what joins language and mask, and the mask "
        f"decoder; {_DEFAULT}",
    )
    add(
        "--lora",
        type=whole_from(0),
        default=0,
        metavar="RANK",
        help="with --train parts; none unless told",
    )
    add("--rate", type=positive, help="peak of the learning rate; default: 4e-5, for the demo 2e-4")
    add("--warm-up", type=whole_from(0), default=40, help=f"steps; {_DEFAULT}")
    add("--final-share", type=float, default=0.05, help=f"of the rate, at the end; {_DEFAULT}")
    add("--images", type=whole_from(1), default=4, help=f"in a step; {_DEFAULT}")
    add("--questions", type=whole_from(1), default=6, help=f"about an image, in a step; {_DEFAULT}")
    add(
        "--mix",
        action="append",
        default=[],
        metavar="KIND=WEIGHT",
        help=f"shares of the demo's own kinds of questions, with --rehearse {_OWN_WORLD}",
    )
    add(
        "--loss",
        action="append",
        default=[],
        metavar="LOSS=WEIGHT",
        help="language, mask, presence or clicks; may be given several times",
    )
    add("--as-they-are", action="store_true", help="mirror and brighten nothing")
    add("--seed", type=whole_from(0), default=0, help=f"of the draws; {_DEFAULT}")
    add("--device", default="auto", help=f"auto, cpu, cuda or mps; {_DEFAULT}")
    add(
        "--threads",
        type=whole_from(1),
        default=torch.get_num_threads(),
        help=f"of the processor; {_DEFAULT}",
    )
    add("--workers", type=whole_from(0), default=1, help=f"processes that read images; {_DEFAULT}")
    add("--save-minutes", type=float, default=4.0, help=f"between two savings; {_DEFAULT}")


def positive(text: str) -> float:
    """Read a number above zero from the command line."""
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"it must be above 0, not {text}")
    return number


def below_one(text: str) -> float:
    """Read a share that is less than all from the command line."""
    number = float(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"it must be 0 or above, and below 1, not {text}")
    return number


def whole_from(least: int) -> Callable[[str], int]:
    """Return what reads a whole number that is not below `least` from the command line."""

    def whole(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"it must be {least} or above, not {text}")
        return number

    return whole


def tuning_of(options: argparse.Namespace, start: Path, folder: Path, rehearsed: float) -> Tuning:
    """Read the options of `add_options`."""
    return Tuning(
        start=start,
        folder=folder,
        minutes=options.minutes,
        train=options.train,
        lora=options.lora,
        rate=options.rate,
        warm_up=options.warm_up,
        final_share=options.final_share,
        images=options.images,
        questions=options.questions,
        rehearsed=rehearsed,
        mix=Stage(mix=dict(MIX)).with_mix(options.mix).mix,
        varied=not options.as_they_are,
        seed=options.seed,
        workers=options.workers,
        autocast=choose_device(options.device).type == "cuda",
        save_minutes=options.save_minutes,
        weights=LossWeights().changed(options.loss),
    )


def checkpoint_folder(name: str) -> Path:
    """Find a checkpoint by its folder, its name or its id on the Hub; a download is told of."""
    told = 0

    def tell(message: str, fraction: float) -> None:
        nonlocal told
        parts = int(fraction * _PARTS_TOLD) + 1
        if parts > told:
            told = parts
            _log.info("%s, %.0f %%", message, 100 * fraction)

    return resolve(name, tell)


def quietly(options: argparse.Namespace) -> None:
    """Prepare a process for training."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    # What ends a process politely saves first, as Ctrl+C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def main(arguments: list[str] | None = None) -> None:
    """Fine-tune, or go on with the run in ``--folder``; print figures before and after."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="+", help="fine-tuning folders")
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/tuned"), help=f"of the run; {_DEFAULT}"
    )
    parser.add_argument(
        "--held-out", type=below_one, default=0.2, help=f"share of the images; {_DEFAULT}"
    )
    parser.add_argument("--test", type=Path, help="a folder to measure on instead")
    parser.add_argument("--old", type=Path, help="a folder of what is not to be forgotten")
    parser.add_argument(
        "--rehearse",
        help="a folder to train on in a share of the steps (--rehearsed), or "
        f"{_OWN_WORLD!r}: its own world",
    )
    parser.add_argument(
        "--rehearsed", type=below_one, default=0.5, help=f"share of the steps; {_DEFAULT}"
    )
    add_options(parser)
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True)
    quietly(options)
    try:
        share = options.rehearsed if options.rehearse else 0.0
        # Options that do not go together are told before anything is read or fetched.
        tuning = tuning_of(options, Path(options.start), options.folder, share)
        examples = [example for folder in options.data for example in read_folder(folder)]
        others = []
        if options.rehearse and options.rehearse != _OWN_WORLD:
            others = read_folder(Path(options.rehearse))
        measured = {}
        if options.test:
            measured["held out"] = read_folder(options.test)
        elif options.held_out > 0:
            examples, measured["held out"] = held_out(examples, options.held_out, options.seed)
        check_apart(measured.get("held out", ()), (*examples, *others))
        if options.old:
            measured["old"] = read_folder(options.old)
        tuning = replace(tuning, start=checkpoint_folder(options.start))
        console.print(
            f"{len(examples)} images to train on, "
            + ", ".join(f"{len(images)} {name}" for name, images in measured.items())
        )
        report(tune(tuning, examples, measured, others, options.device), console)
        console.print(f"The new checkpoint: {tuning.folder / CHECKPOINT}", highlight=False)
    except Sa2VAError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Interrupted. The same command goes on where it was.")
        sys.exit(130)  # as shells have it


if __name__ == "__main__":
    main()
