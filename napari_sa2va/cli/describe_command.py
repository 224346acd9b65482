"""The command ``describe`` and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sa2va.cli.common import failures, image_options, print_json
from napari_sa2va.cli.exit_codes import ExitCode
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


def describe(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file.")],
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="A label image of the same size.")
    ],
    question: Annotated[
        str, typer.Option(help="Asked of each label, which it may call region1.")
    ] = "",
    label: Annotated[
        list[int] | None,
        typer.Option(min=1, metavar="N", help="Only this label; may be given several times."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the table.")] = Path(),
    model: ModelOption = "demo",
    device: DeviceOption = "auto",
    dtype: DtypeOption = Precision.auto,
    contrast: ContrastOption = None,
    index: IndexOption = None,
    channel: ChannelOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Describe each label of an image in words, and write a table."""
    from napari_sa2va.annotation.mentions import mentions, regions_counted
    from napari_sa2va.cli.describe import DescribeJob, as_json, describe_labels, questions_of
    from napari_sa2va.cli.display import Display
    from napari_sa2va.cli.interrupt import cancel_on_interrupt
    from napari_sa2va.engine import ModelChoice
    from napari_sa2va.io.atomic import check_folder

    if mentions(question) or regions_counted(question) > 1:
        raise typer.BadParameter(
            "a question about each label cannot name others: that is `napari-sa2va ask --regions`.",
            param_hint="--question",
        )
    job = DescribeJob(
        image,
        labels,
        question,
        label or (),
        ModelChoice(model, device, dtype.value),
        output,
        image_options(contrast, index, channel),
    )
    with failures("describe", json_output), cancel_on_interrupt() as cancelled:
        frames, questions = questions_of(job)
        check_folder(output)
        with Display(len(questions), quiet=quiet, results=not json_output) as display:
            found = describe_labels(job, frames, questions, display, cancelled)
    code = ExitCode.CANCELLED if found.cancelled else ExitCode.OK
    if json_output:
        print_json("describe", code, as_json(job, found))
    raise typer.Exit(code)
