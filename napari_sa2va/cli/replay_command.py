"""The command ``replay``: its options, and what it prints."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer looks at it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sa2va.cli.common import failures, print_json
from napari_sa2va.cli.options import JsonOption, Precision, QuietOption  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.cli.display import Display
    from napari_sa2va.cli.replay import Compared


def replay(
    session: Annotated[Path, typer.Argument(metavar="SESSION", help="A folder *.sa2va.")],
    image: Annotated[
        Path | None,
        typer.Argument(metavar="IMAGE", help="The same image, or another. Default: its own."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Another model than the one asked then: as --model of segment."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Another device: auto, cpu, cuda, cuda:1 and so on, or mps.")
    ] = None,
    dtype: Annotated[
        Precision | None, typer.Option(help="Another number format of the model's weights.")
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Ask the model again what was asked in a session, and say what comes out otherwise.

    Exit code 0: all is the same; 1: something differs; 6: something could not be asked.
    """
    from napari_sa2va.cli.display import Display
    from napari_sa2va.cli.interrupt import cancel_on_interrupt
    from napari_sa2va.cli.replay import code_of_replay
    from napari_sa2va.cli.replay import replay as run

    changed = {"device": device, "dtype": dtype}
    if model:  # how the session's own model was run says nothing of another
        changed = {"name": model, "device": device or "auto", "dtype": dtype or "auto"}
    given = {name: str(value) for name, value in changed.items() if value}
    with (
        failures("replay", json_output),
        cancel_on_interrupt() as cancelled,
        Display(1, quiet=quiet, results=not json_output) as display,
    ):
        compared = run(session, image, given, display, cancelled)
        display.stop_bar()
        print_compared(compared, display)
        code = code_of_replay(compared, cancelled=cancelled.is_set())
    if json_output:
        print_json("replay", code, {"session": str(session), "requests": as_json(compared)})
    raise typer.Exit(code)


def print_compared(compared: Sequence[Compared], display: Display) -> None:
    """Print a line a request, and a line for each thing that differs."""
    for one in compared:
        if one.error:
            display.say(f"{one.n}  {one.text}: {one.error}")
            continue
        display.say(f"{one.n}  {one.text}: {'same' if one.same else 'differs'}")
        for label, iou in sorted(one.ious.items()):
            display.say(f"    object {label}: IoU {iou:.3f}")
        if one.new:
            display.say(f"    {one.new} mask(s) that have no object in the session")
        for question, before, now in one.answers:
            display.say(f"    {question}\n      then: {before}\n      now:  {now}")
    same = sum(one.same for one in compared)
    display.say(f"{same} of {len(compared)} requests came out the same.")


def as_json(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """Return the same for programs."""
    return [
        {
            "entry": one.n,
            "text": one.text,
            "same": one.same,
            "error": one.error,
            "iou": {str(label): iou for label, iou in sorted(one.ious.items())},
            "new_masks": one.new,
            "answers": [
                {"question": question, "then": before, "now": now}
                for question, before, now in one.answers
            ],
        }
        for one in compared
    ]
