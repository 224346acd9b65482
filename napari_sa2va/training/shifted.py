"""``python -m napari_sa2va.training.shifted``: fine-tune the demo on a domain of another kind.

It draws a few scenes of a domain that the checkpoint has never seen (`samples.world.shifted`),
fine-tunes on them while it rehearses its own world, and prints how well it finds things in other
scenes of that domain, and in held-out scenes of its own, before and after. Interrupted, it goes on
where it was when it is started again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.console import Console

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.samples.scenes import HELD_OUT_SEED
from napari_sa2va.samples.world.drawing import render
from napari_sa2va.samples.world.phrases import draw_phrase
from napari_sa2va.samples.world.scenes import make_scene
from napari_sa2va.samples.world.shifted import make_shifted
from napari_sa2va.training.checking import CHECKPOINT
from napari_sa2va.training.finetune import (
    add_options,
    below_one,
    checkpoint_folder,
    quietly,
    tune,
    tuning_of,
)
from napari_sa2va.training.folder import ANNOTATIONS, read_folder
from napari_sa2va.training.folder_writing import write_folder
from napari_sa2va.training.measure_folder import report
from napari_sa2va.training.measure_scenes import union

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sa2va.training.measure_folder import Measured

GAIN: Final = 0.2
"""What is wanted on the new scenes, in IoU."""

LOSS: Final = 0.05
"""What may be lost on the old ones."""

NEW, OLD = "shifted domain", "own world"
_HELD_OUT_SHIFTED: Final = 100_000
_OLD_SEED: Final = HELD_OUT_SEED + 4_000_000
_MEASURED: Final = 6
"""Phrases about a scene that is measured on."""

_TRIES: Final = 40


def write_scenes(folder: Path, scenes: int, held_out: int) -> None:
    """Write three fine-tuning folders, ``train``, ``test`` and ``old``, unless they are there."""
    if (folder / "old" / ANNOTATIONS).exists():  # the last that is written
        return
    write_folder(folder / "train", (_shifted(seed) for seed in range(scenes)))
    others = range(_HELD_OUT_SHIFTED, _HELD_OUT_SHIFTED + held_out)
    write_folder(folder / "test", (_shifted(seed, _MEASURED) for seed in others))
    write_folder(folder / "old", (_old(_OLD_SEED + number) for number in range(held_out)))


def _shifted(
    seed: int, most: int | None = None
) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.bool_]]]:
    """Draw a scene of the new domain, and all of its phrases or so many, drawn as well."""
    scene = make_shifted(seed)
    texts = np.random.default_rng([seed, 63]).permutation(list(scene.phrases))[:most].tolist()
    return scene.image, {text: union(scene.masks, scene.phrases[text]) for text in texts}


def _old(seed: int) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.bool_]]]:
    """Draw a scene of the demo's own world, and some phrases that mean something in it."""
    scene = make_scene(seed, (256, 256))
    masks, rng = scene.masks(), np.random.default_rng([seed, 62])
    found: dict[str, NDArray[np.bool_]] = {}
    for _ in range(_TRIES):
        phrase = draw_phrase(scene, rng, absent=0, synonyms=False)
        if phrase is not None and phrase.targets and phrase.form.extra in ("", "all"):
            found[phrase.text] = union(masks, phrase.targets)
        if len(found) == _MEASURED:
            break
    return render(scene), found


def verdicts(found: dict[str, tuple[Measured, Measured]]) -> list[tuple[str, bool]]:
    """Say what was wanted, and whether it was reached."""
    gain = found[NEW][1].iou - found[NEW][0].iou
    loss = found[OLD][0].iou - found[OLD][1].iou
    return [
        (f"IoU on the {NEW}: {gain:+.3f}, and at least {GAIN:+.2f} is wanted", gain >= GAIN),
        (f"IoU on its {OLD}: {-loss:+.3f}, and at most {-LOSS:+.2f} may be lost", loss <= LOSS),
    ]


def main(arguments: list[str] | None = None) -> None:
    """Fine-tune on the shifted domain; print figures, and end with 1 if they are not reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("runs/shifted"), help="of the run")
    parser.add_argument("--scenes", type=int, default=20, help="to train on")
    parser.add_argument("--held-out", type=int, default=40, help="scenes to measure on, of each")
    parser.add_argument("--rehearsed", type=below_one, default=0.5, help="share of the steps")
    add_options(parser)
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True)
    quietly(options)
    try:
        data = options.folder / f"data-{options.scenes}-{options.held_out}"
        write_scenes(data, options.scenes, options.held_out)
        start = checkpoint_folder(options.start)
        tuning = tuning_of(options, start, options.folder, options.rehearsed)
        measured = {NEW: read_folder(data / "test"), OLD: read_folder(data / "old")}
        found = tune(tuning, read_folder(data / "train"), measured, device=options.device)
    except Sa2VAError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        sys.exit(1)
    console.print(
        f"{options.scenes} scenes of the {NEW}, {options.minutes:g} minutes of training, measured "
        f"on {options.held_out} others and on {options.held_out} of its {OLD}",
        highlight=False,
    )
    report(found, console)
    said = verdicts(found)
    for sentence, reached in said:
        console.print(f"{sentence}: {'reached' if reached else 'missed'}", highlight=False)
    console.print(f"The new checkpoint: {tuning.folder / CHECKPOINT}", highlight=False)
    sys.exit(0 if all(reached for _, reached in said) else 1)


if __name__ == "__main__":
    main()
