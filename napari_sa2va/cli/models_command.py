"""The commands ``models …``: their options, and how each ends."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from napari_sa2va.cli.common import failures, print_json
from napari_sa2va.cli.exit_codes import ExitCode
from napari_sa2va.cli.options import (  # typer reads annotations at run time
    DeviceOption,  # noqa: TC001
    JsonOption,  # noqa: TC001
    QuietOption,  # noqa: TC001
)

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A name of the list, a Hub id, or sam2 (SAM 2.0's file)."),
]

models = typer.Typer(
    help="See which models there are, and fetch, find, remove or add them.",
    no_args_is_help=True,
)


@models.command("list")
def list_models(device: DeviceOption = "auto", json_output: JsonOption = False) -> None:
    """Show all models: what is here, how large they are, and what fits this machine."""
    from napari_sa2va.cli.models import as_json, as_text
    from napari_sa2va.zoo.machine import device_named
    from napari_sa2va.zoo.shelf import models as all_models

    with failures("models list", json_output):
        place = device_named(device)
        found = all_models(place)
        if json_output:
            print_json("models list", ExitCode.OK, as_json(found, place))
        else:
            typer.echo(as_text(found, place))


@models.command()
def get(
    name: NameArgument,
    revision: Annotated[
        str | None,
        typer.Option(help="A branch, tag or commit of the Hub's, used from now on."),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Ask for a newer version, and check all files.")
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Download a model, or go on with a download that broke off, and check every file."""
    from napari_sa2va.cli.interrupt import cancel_on_interrupt
    from napari_sa2va.cli.models import DownloadDisplay
    from napari_sa2va.zoo.manager import get_model

    with failures("models get", json_output):
        with cancel_on_interrupt() as cancelled, DownloadDisplay(quiet=quiet) as display:
            place = get_model(
                name, display.show, cancelled.is_set, revision=revision, update=update
            )
        if json_output:
            print_json("models get", ExitCode.OK, {"name": name, "path": str(place)})
        elif not quiet:
            typer.echo(place)


@models.command()
def path(name: NameArgument, json_output: JsonOption = False) -> None:
    """Print where a model is on this machine."""
    from napari_sa2va.zoo.manager import model_path

    with failures("models path", json_output):
        place = model_path(name)
        if json_output:
            print_json("models path", ExitCode.OK, {"name": name, "path": str(place)})
        else:
            typer.echo(place)


@models.command()
def remove(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Delete a downloaded model, or take an added one off the list; your folders stay."""
    from napari_sa2va.cli.models import removed_text
    from napari_sa2va.zoo.manager import remove_model

    if not yes and not _confirmed(name, json_output):
        raise typer.BadParameter("give --yes to remove without being asked", param_hint="--yes")
    with failures("models remove", json_output):
        done = remove_model(name)
        if json_output:
            facts = {"freed": done.freed, "unlisted": done.unlisted, "kept": done.kept}
            print_json("models remove", ExitCode.OK, {"name": name, **facts})
        elif not quiet:
            typer.echo(removed_text(name, done))


@models.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it from now on.")],
    where: Annotated[
        str, typer.Argument(metavar="WHERE", help="A checkpoint's folder, or a Hub id.")
    ],
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put a checkpoint of your own on the list: a folder, or a Hub id in the official format."""
    from napari_sa2va.zoo.manager import add_model

    with failures("models add", json_output):
        added = add_model(name, where)
        if json_output:
            facts = {"name": added.name, "where": added.where, "folder": added.folder}
            print_json("models add", ExitCode.OK, facts)
        elif not quiet:
            typer.echo(f"{added.name} is {added.where}")
            if not added.folder:
                typer.echo(f"Fetch it: napari-sa2va models get {added.name!r}")


def _confirmed(name: str, json_output: bool) -> bool:
    if json_output or not sys.stdin.isatty():
        return False
    try:
        agreed = typer.confirm(f"Remove {name} from this machine?")
    except typer.Abort:  # Ctrl+C in place of an answer
        agreed = False
    if not agreed:  # not typer's own exit code, 1: here that is "nothing was found"
        typer.echo("Nothing was removed.", err=True)
        raise typer.Exit(ExitCode.CANCELLED)
    return True
