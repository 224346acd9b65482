"""The commands, their options, and how each ends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import napari_sa2va
from napari_sa2va.cli.batch_command import batch
from napari_sa2va.cli.common import failures, image_options, parsed, print_json
from napari_sa2va.cli.describe_command import describe
from napari_sa2va.cli.exit_codes import ExitCode
from napari_sa2va.cli.export_command import export
from napari_sa2va.cli.models_command import models
from napari_sa2va.cli.options import (
    ChannelOption,
    ContrastOption,
    DeviceOption,
    DtypeOption,
    Format,
    IndexOption,
    JsonOption,
    ModelOption,
    Precision,
    QuietOption,
)
from napari_sa2va.cli.replay_command import replay
from napari_sa2va.cli.track_command import track

# Only what --help needs is imported here: torch, napari and scikit-image take seconds.

app = typer.Typer(
    help="Segment and describe images by words, with Sa2VA.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-sa2va {napari_sa2va.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Segment and describe images by words, with Sa2VA."""


@app.command()
def segment(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Image files.")],
    text: Annotated[
        list[str],
        typer.Option(help="What to segment, such as 'the red cell'; may be given several times."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path(),
    formats: Annotated[
        list[Format] | None,
        typer.Option(
            "--format",
            help="tiff: labels; png: overlay; csv: objects; may be given several times. "
            "Default: all.",
        ),
    ] = None,
    model: ModelOption = "demo",
    device: DeviceOption = "auto",
    dtype: DtypeOption = Precision.auto,
    contrast: ContrastOption = None,
    index: IndexOption = None,
    channel: ChannelOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Segment what a text says in images, and write label images, overlays and tables."""
    from napari_sa2va.cli.display import Display
    from napari_sa2va.cli.interrupt import cancel_on_interrupt
    from napari_sa2va.cli.segment import Job, as_json, exit_code, segment_images
    from napari_sa2va.engine import ModelChoice, segment_questions

    questions = parsed("--text", segment_questions, "\n".join(text))
    job = Job(
        questions,
        ModelChoice(model, device, dtype.value),
        output,
        tuple(kind.value for kind in formats or Format),
        image_options(contrast, index, channel),
    )
    with (
        failures("segment", json_output),
        cancel_on_interrupt() as cancelled,
        Display(len(questions) * len(images), quiet=quiet, results=not json_output) as display,
    ):
        outcomes = segment_images(images, job, display, cancelled)
    code = exit_code(images, outcomes)
    if json_output:
        print_json("segment", code, {"images": as_json(images, outcomes)})
    raise typer.Exit(code)


app.command()(track)
app.command()(replay)
app.add_typer(models, name="models")


@app.command()
def ask(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file.")],
    question: Annotated[str, typer.Argument(help="In quotes.")],
    regions: Annotated[
        Path | None,
        typer.Option(
            metavar="LABELS",
            help="A label image: '@3' in the question is label 3; region1, region2 and so on are "
            "its labels in their order.",
        ),
    ] = None,
    follow_up: Annotated[
        list[str] | None,
        typer.Option(
            metavar="QUESTION",
            help="Asked after it, with what was said before in mind; repeatable.",
        ),
    ] = None,
    model: ModelOption = "demo",
    device: DeviceOption = "auto",
    dtype: DtypeOption = Precision.auto,
    contrast: ContrastOption = None,
    index: IndexOption = None,
    channel: ChannelOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Ask questions about an image, and print the answers."""
    from napari_sa2va.cli.ask import ask_image
    from napari_sa2va.cli.display import Display
    from napari_sa2va.cli.interrupt import cancel_on_interrupt
    from napari_sa2va.cli.segment import describe_results
    from napari_sa2va.engine import ModelChoice, ask_question

    later = tuple(follow_up or ())
    for text in (question, *later):
        parsed("QUESTION", ask_question, text)
    options = image_options(contrast, index, channel)
    choice = ModelChoice(model, device, dtype.value)
    with (
        failures("ask", json_output),
        cancel_on_interrupt() as cancelled,
        Display(1 + len(later), quiet=quiet, results=not json_output) as display,
    ):
        results = ask_image(image, question, regions, choice, options, display, cancelled, later)
    stopped = results.done is not None and results.done.cancelled
    code = ExitCode.CANCELLED if stopped else ExitCode.OK
    if json_output:
        print_json("ask", code, {"image": str(image), **describe_results(results)})
    raise typer.Exit(code)


app.command()(describe)

app.command()(export)

app.command()(batch)


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the files, where no display exists.")
    ] = Path("napari-sa2va-demo"),
    headless: Annotated[
        bool, typer.Option("--headless", help="Write files even where a display exists.")
    ] = False,
) -> None:
    """Show the main job on a sample image: in napari, or without a display as files."""
    from napari_sa2va.cli.demo import run_demo

    with failures("demo", as_json=False):
        code = run_demo(output, headless=headless)
    raise typer.Exit(code)


@app.command()
def doctor(
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it all, with the end of the log, to a file."),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Say what this machine can run, and what is wrong with it."""
    from napari_sa2va.cli.doctor import examine

    with failures("doctor", json_output):
        examined = examine(report)
    if json_output:
        print_json("doctor", examined.code, examined.facts)
    else:
        typer.echo(examined.text)
    raise typer.Exit(examined.code)
