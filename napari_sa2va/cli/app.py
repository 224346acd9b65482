"""The commands, their options, and how each ends."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

import napari_sa2va
from napari_sa2va.cli.exit_codes import ExitCode, code_of, unexpected
from napari_sa2va.errors import InvalidInput, Sa2VAError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    _Value = TypeVar("_Value")

_LOG: Final = logging.getLogger(__name__)

# Only what --help needs is imported here: torch, napari and scikit-image take seconds.

app = typer.Typer(
    help="Segment and describe images by words, with Sa2VA.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


class Format(StrEnum):
    """Kinds of files that `segment` writes."""

    tiff = "tiff"
    png = "png"
    csv = "csv"


class Precision(StrEnum):
    """Number formats of the weights."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


ModelOption = Annotated[
    str, typer.Option(help="demo, a checkpoint's folder, or its name on the Hugging Face Hub.")
]
DeviceOption = Annotated[
    str, typer.Option(help="Where the model runs: auto, cpu, cuda, cuda:1 and so on, or mps.")
]
DtypeOption = Annotated[Precision, typer.Option(help="Number format of the model's weights.")]
ContrastOption = Annotated[
    str | None,
    typer.Option(
        metavar="LO,HI",
        help="Values drawn black and white; left out, those that napari sets on opening the file.",
    ),
]
IndexOption = Annotated[
    str | None,
    typer.Option(
        metavar="N,…",
        help="Plane of a stack: a number from 0 for each axis before rows and columns; left out, "
        "the plane that napari shows first.",
    ),
]
ChannelOption = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Channel of a file that names its channels.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]


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
        typer.Option("--format", help="tiff: labels; png: overlay; csv: objects. Default: all."),
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

    questions = _option("--text", segment_questions, "\n".join(text))
    job = Job(
        questions,
        ModelChoice(model, device, dtype.value),
        output,
        tuple(kind.value for kind in formats or Format),
        _image_options(contrast, index, channel),
    )
    with (
        _failures("segment", json_output),
        cancel_on_interrupt() as cancelled,
        Display(len(questions) * len(images), quiet=quiet, results=not json_output) as display,
    ):
        outcomes = segment_images(images, job, display, cancelled)
    code = exit_code(images, outcomes)
    if json_output:
        _print_json("segment", code, {"images": as_json(images, outcomes)})
    raise typer.Exit(code)


@app.command()
def ask(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file.")],
    question: Annotated[str, typer.Argument(help="In quotes.")],
    model: ModelOption = "demo",
    device: DeviceOption = "auto",
    dtype: DtypeOption = Precision.auto,
    contrast: ContrastOption = None,
    index: IndexOption = None,
    channel: ChannelOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Ask a question about an image, and print the answer."""
    from napari_sa2va.cli.ask import ask_image
    from napari_sa2va.cli.display import Display
    from napari_sa2va.cli.interrupt import cancel_on_interrupt
    from napari_sa2va.cli.segment import describe_results
    from napari_sa2va.engine import ModelChoice, ask_question

    questions = _option("QUESTION", ask_question, question)
    options = _image_options(contrast, index, channel)
    choice = ModelChoice(model, device, dtype.value)
    with (
        _failures("ask", json_output),
        cancel_on_interrupt() as cancelled,
        Display(1, quiet=quiet, results=not json_output) as display,
    ):
        results = ask_image(image, questions, choice, options, display, cancelled)
    stopped = results.done is not None and results.done.cancelled
    code = ExitCode.CANCELLED if stopped else ExitCode.OK
    if json_output:
        _print_json("ask", code, {"image": str(image), **describe_results(results)})
    raise typer.Exit(code)


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

    with _failures("demo", as_json=False):
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

    with _failures("doctor", json_output):
        examined = examine(report)
    if json_output:
        _print_json("doctor", examined.code, examined.facts)
    else:
        typer.echo(examined.text)
    raise typer.Exit(examined.code)


def _option(name: str, parse: Callable[[str], _Value], text: str) -> _Value:
    """Parse an option's text; what is wrong with it is a matter of usage."""
    try:
        return parse(text)
    except InvalidInput as error:
        raise typer.BadParameter(str(error), param_hint=name) from error


def _image_options(contrast: str | None, index: str | None, channel: int | None) -> Any:
    from napari_sa2va.cli.images import ImageOptions
    from napari_sa2va.frames import parse_contrast, parse_index

    return ImageOptions(
        None if contrast is None else _option("--contrast", parse_contrast, contrast),
        None if index is None else _option("--index", parse_index, index),
        channel,
    )


@contextmanager
def _failures(command: str, as_json: bool) -> Iterator[None]:
    """End the command with a sentence and the right exit code when it fails as a whole."""
    try:
        yield
        return
    except Sa2VAError as error:
        code, message = code_of(error), str(error)
        _LOG.warning("%s: %s", type(error).__name__, error)
    except KeyboardInterrupt:  # Ctrl+C before or after the run
        code, message = ExitCode.CANCELLED, "interrupted"
    except Exception as error:  # a fault of ours: Python's exit code 1 would mean "not found"
        code, message = ExitCode.FAILED, unexpected(error)
        _LOG.exception("Unexpected")
    if as_json:
        _print_json(command, code, {"message": message})
    typer.echo(f"napari-sa2va {command}: {message}", err=True)
    raise typer.Exit(code)


def _print_json(command: str, code: ExitCode, content: dict[str, Any]) -> None:
    """Print the one document that a command prints."""
    head = {"command": command, "version": napari_sa2va.__version__, "exit_code": int(code)}
    typer.echo(json.dumps(head | content, indent=2, ensure_ascii=False, allow_nan=False))
