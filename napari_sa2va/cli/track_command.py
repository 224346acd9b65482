"""The command ``track``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sa2va.cli.common import failures, image_options, parsed, print_json
from napari_sa2va.cli.options import (
    ChannelOption,
    ContrastOption,
    DeviceOption,
    DtypeOption,
    Heading,
    JsonOption,
    ModelOption,
    Precision,
    QuietOption,
    TrackFormat,
    Way,
)


def track(
    stack: Annotated[Path, typer.Argument(metavar="STACK", help="A stack or movie.")],
    text: Annotated[
        list[str],
        typer.Option(help="What to follow, such as 'the red cell'; may be given several times."),
    ],
    axis: Annotated[
        str | None,
        typer.Option(
            metavar="t|z|N",
            help="Axis of the planes: its name, or its number from 0. "
            "Default: time, else depth, else the first.",
        ),
    ] = None,
    keys: Annotated[
        str,
        typer.Option(
            metavar="WORD|N,…",
            help="Planes that the model looks at: current (the one that napari shows first), "
            "first, middle, spread (five over the range), first5, or numbers such as 0,5-9,20.",
        ),
    ] = "current",
    direction: Annotated[
        Heading, typer.Option(help="Where to go from the planes looked at.")
    ] = Heading.both,
    method: Annotated[
        Way | None,
        typer.Option(
            help="official: Sa2VA's own decoder tracks. consistent: SAM2's original one does, from "
            "the masks in the planes looked at. Default: consistent where the model can.",
        ),
    ] = None,
    within: Annotated[
        str | None,
        typer.Option("--range", metavar="A-B", help="First and last plane. Default: all."),
    ] = None,
    check_every: Annotated[
        int, typer.Option(min=0, metavar="K", help="Ask again every K planes; 0: never.")
    ] = 0,
    reseed: Annotated[
        bool, typer.Option("--reseed", help="Go on from what is then found, where it differs.")
    ] = False,
    sam2_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A SAM 2.0 hiera-large checkpoint: its decoder is what consistent tracking needs, "
            "where the model lacks it. Default: the file of `models get sam2`, if it is here.",
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path(),
    formats: Annotated[
        list[TrackFormat] | None,
        typer.Option(
            "--format",
            help="tiff, zarr: labels; csv: tables; may be given several times. "
            "Default: tiff and csv.",
        ),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Delete what is kept of an earlier run.")
    ] = False,
    model: ModelOption = "demo",
    device: DeviceOption = "auto",
    dtype: DtypeOption = Precision.auto,
    contrast: ContrastOption = None,
    index: Annotated[
        str | None,
        typer.Option(
            metavar="N,…",
            help="Where the other axes stand: a number from 0 for each, in the order of the file; "
            "left out, where napari stands first.",
        ),
    ] = None,
    channel: ChannelOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Follow what a text says through a stack or movie; a run that was stopped goes on."""
    from napari_sa2va.cli.display import Display
    from napari_sa2va.cli.interrupt import cancel_on_interrupt
    from napari_sa2va.cli.track import track_stack
    from napari_sa2va.cli.track_job import TrackJob, check_keys, parse_range
    from napari_sa2va.cli.track_report import outcome_as_json, print_outcome
    from napari_sa2va.engine import ModelChoice, segment_questions

    if reseed and not check_every:
        raise typer.BadParameter("Say how often with --check-every.", param_hint="--reseed")
    job = TrackJob(
        parsed("--text", segment_questions, "\n".join(text)),
        ModelChoice(model, device, dtype.value),
        output,
        tuple(kind.value for kind in formats or (TrackFormat.tiff, TrackFormat.csv)),
        image_options(contrast, index, channel),
        axis,
        parsed("--keys", check_keys, keys),
        direction.value,
        method.value if method else None,
        None if within is None else parsed("--range", parse_range, within),
        check_every,
        reseed,
        sam2_file,
        restart,
    )
    with (
        failures("track", json_output),
        cancel_on_interrupt() as cancelled,
        Display(len(job.questions), quiet=quiet, results=not json_output) as display,
    ):
        outcome = track_stack(stack, job, display, cancelled)
        print_outcome(outcome, display)
    if json_output:
        print_json("track", outcome.code, outcome_as_json(outcome))
    raise typer.Exit(outcome.code)
