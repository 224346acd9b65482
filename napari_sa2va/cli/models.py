"""What ``napari-sa2va models`` shows: the list, and downloads on their way."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from napari_sa2va.zoo.fit import gib
from napari_sa2va.zoo.library import library_path
from napari_sa2va.zoo.report import without_home

if TYPE_CHECKING:
    from types import TracebackType

    from napari_sa2va.zoo.machine import Device
    from napari_sa2va.zoo.manager import Removed
    from napari_sa2va.zoo.meter import DownloadState, FileState
    from napari_sa2va.zoo.shelf import Model

_HEAD: Final = ("", "model", "here", "size", "memory", "fits", "licence of the weights")
_GAP: Final = "  "


def as_text(models: tuple[Model, ...], device: Device) -> str:
    """Return the list for people."""
    rows = [_HEAD, *(_row(model) for model in models)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    memory = f", {gib(device.free)} of {gib(device.total)} free" if device.total else ""
    dtype = next((model.dtype for model in models if model.dtype), "")
    notes = [f"* recommended for {device.name} ({device.description}{memory}); memory in {dtype}."]
    notes += [f"{model.name}: {model.problem}" for model in models if model.problem]
    return without_home("\n".join([*lines, "", *notes]))


def as_json(models: tuple[Model, ...], device: Device) -> dict[str, Any]:
    """Return the list for programs: sizes in bytes."""
    lines = [asdict(model) | {"here": model.here} for model in models]
    return {"device": asdict(device), "list": str(library_path()), "models": lines}


def removed_text(name: str, done: Removed) -> str:
    """Say what a removal did."""
    said = []
    if done.freed:
        said.append(f"{name} is removed: {gib(done.freed)} are free again.")
    if done.unlisted:
        said.append(f"{done.unlisted} is off the list.")
    if done.kept:
        said.append(f"The folder {done.kept} is as it was.")
    return " ".join(said) or f"{name} is removed."


class DownloadDisplay:
    """A bar for the file that comes and one for all; without a terminal, a line for each file.

    Parameters
    ----------
    quiet : bool
        Whether to show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._quiet = quiet
        self._bar = not quiet and console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._all = self._progress.add_task("All files", total=None)
        self._one = self._progress.add_task("Asking the Hub", total=None)
        self._said: set[str] = set()

    def __enter__(self) -> Self:
        if self._bar:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar:
            self._progress.stop()

    def show(self, state: DownloadState) -> None:
        """Show how far it is."""
        if self._quiet:
            return
        current = next((file for file in state.files if file.name == state.current), None)
        if not self._bar:
            self._say(current)
            return
        self._progress.update(self._all, total=state.size, completed=state.done)
        if current is not None:
            text = state.note or current.name
            self._progress.update(
                self._one, description=text, total=current.size, completed=current.done
            )

    def _say(self, current: FileState | None) -> None:
        """Tell each file once."""
        if current is not None and current.name not in self._said:
            self._said.add(current.name)
            typer.echo(f"{current.name} ({gib(current.size)})", err=True)


def _row(model: Model) -> tuple[str, ...]:
    size = model.on_disk if model.here else model.download
    here = "yes" if model.here else "no"
    if not model.here and model.on_disk > 0:
        here = f"{gib(model.on_disk)} of it"
    return (
        "*" if model.recommended else "",
        model.name,
        here,
        ("" if model.here else "about ") + gib(size) if size else "",
        gib(model.need.total) if model.need is not None else "",
        "see below" if model.problem else model.fits_word,
        model.license,
    )
