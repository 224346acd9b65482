"""What all commands share: reading options, and ending with the right exit code."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer

import napari_sa2va
from napari_sa2va.cli.exit_codes import ExitCode, code_of, unexpected
from napari_sa2va.errors import InvalidInput, Sa2VAError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from napari_sa2va.cli.images import ImageOptions

    _Value = TypeVar("_Value")

_LOG: Final = logging.getLogger(__name__)


def parsed(name: str, parse: Callable[[str], _Value], text: str) -> _Value:
    """Parse an option's text; what is wrong with it is a matter of usage."""
    try:
        return parse(text)
    except InvalidInput as error:
        raise typer.BadParameter(str(error), param_hint=name) from error


def image_options(contrast: str | None, index: str | None, channel: int | None) -> ImageOptions:
    """Read the options that say how a file is looked at."""
    from napari_sa2va.cli.images import ImageOptions
    from napari_sa2va.frames import parse_contrast, parse_index

    return ImageOptions(
        None if contrast is None else parsed("--contrast", parse_contrast, contrast),
        None if index is None else parsed("--index", parse_index, index),
        channel,
    )


@contextmanager
def failures(command: str, as_json: bool) -> Iterator[None]:
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
        print_json(command, code, {"message": message})
    typer.echo(f"napari-sa2va {command}: {message}", err=True)
    raise typer.Exit(code)


def print_json(command: str, code: ExitCode, content: dict[str, Any]) -> None:
    """Print the one document that a command prints."""
    head = {"command": command, "version": napari_sa2va.__version__, "exit_code": int(code)}
    typer.echo(json.dumps(head | content, indent=2, ensure_ascii=False, allow_nan=False))
