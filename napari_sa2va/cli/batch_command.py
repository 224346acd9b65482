"""The command ``batch`` and its options."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from napari_sa2va.cli.common import failures, image_options, print_json
from napari_sa2va.cli.options import (
    ChannelOption,
    ContrastOption,
    DeviceOption,
    DtypeOption,
    IndexOption,
    JsonOption,
    ModelOption,
    Precision,
    QuietOption,
)


def batch(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="CSV: a column 'image', and 'phrase' or a column for each phrase ('-' leaves it "
            "out).",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for tables and label images.")
    ] = Path("napari-sa2va-batch"),
    restart: Annotated[
        bool, typer.Option("--restart", help="Ask everything again, and not only what is left.")
    ] = False,
    model: ModelOption = "demo",
    device: DeviceOption = "auto",
    dtype: DtypeOption = Precision.auto,
    contrast: ContrastOption = None,
    index: IndexOption = None,
    channel: ChannelOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Segment many phrases in many images, from a table; a run that was stopped goes on."""
    from dataclasses import asdict

    from napari_sa2va.cli.batch import BatchJob, run_batch
    from napari_sa2va.cli.display import Display
    from napari_sa2va.cli.interrupt import cancel_on_interrupt
    from napari_sa2va.engine import ModelChoice
    from napari_sa2va.io.batch_table import read_wanted

    job = BatchJob(
        table,
        output,
        ModelChoice(model, device, dtype.value),
        image_options(contrast, index, channel),
        restart,
    )
    with failures("batch", json_output), cancel_on_interrupt() as cancelled:
        total = len(read_wanted(table).cells)
        with Display(total, quiet=quiet, results=not json_output) as display:
            done = run_batch(job, display, cancelled)
            counts = Counter(cell.status for cell in done.cells)
            kept = f" ({done.kept} from before)" if done.kept else ""
            summary = ", ".join(f"{count} {status}" for status, count in counts.items())
            display.say(f"{total} cells: {summary}{kept}; wrote {output}")
    if json_output:
        cells = [asdict(cell) for cell in done.cells]
        print_json("batch", done.code, {"output": str(output), "kept": done.kept, "cells": cells})
    raise typer.Exit(done.code)
