"""What the panel of corrections shows, and what it says to do next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sa2va.widgets.correct_hand import CorrectHand
    from napari_sa2va.widgets.correct_target import CorrectTarget
    from napari_sa2va.widgets.correct_view import CorrectView
    from napari_sa2va.widgets.current_correction import CurrentCorrection


@dataclass(frozen=True, slots=True)
class CorrectState:
    """All that is shown at one moment.

    Attributes
    ----------
    on : bool
        Whether clicks on the canvas are taken.
    selected : int or None
        The object that is selected, and can be corrected.
    phrase : str
        Of the selected object.
    new : bool
        Whether the next mark begins, or the open correction is of, a new object.
    open : bool
        Whether there is a correction to accept or reject.
    marks : int
        How many.
    positive : bool
        What a click without a key says.
    drag : str
        ``"pan"``, ``"box"`` or ``"scribble"``.
    text : str
        What is, and what to do.
    busy : str
        What is being done meanwhile; empty for nothing.
    candidate, candidates : int
        Which proposal is shown, from 1, and of how many; 0 of 0 before there is one.
    elsewhere : str
        The plane that the open correction is in, where another one is in view.
    propagates : int or None
        The object that can be propagated through the stack.
    in_hand : str
        The tool of the active layer that has the mouse; empty for none.
    flat : bool
        Whether the view is in 2-D.
    name : str
        Of what is corrected, for people.
    iou : float or None
        SAM2's estimate for what is proposed.
    empty : bool
        Whether nothing is proposed.
    blocked : int
        Pixels of the proposal that stay another object's.
    accepting : bool
        Whether it will be accepted as soon as it is known.
    held : str
        The model that computes it when it is wanted, and not before; empty for none.
    """

    on: bool = False
    selected: int | None = None
    phrase: str = ""
    new: bool = True
    open: bool = False
    marks: int = 0
    positive: bool = True
    drag: str = "pan"
    text: str = ""
    busy: str = ""
    candidate: int = 0
    candidates: int = 0
    elsewhere: str = ""
    propagates: int | None = None
    in_hand: str = ""
    flat: bool = True
    name: str = ""
    iou: float | None = None
    empty: bool = False
    blocked: int = 0
    accepting: bool = False
    held: str = ""


def state_of(
    current: CurrentCorrection, target: CorrectTarget, hand: CorrectHand, view: CorrectView
) -> CorrectState:
    """Return what is, with the words for it."""
    opened, found = current.opened, current.found
    held = opened is not None and current.refining.holds(opened)
    state = CorrectState(
        on=hand.clicks.on,
        selected=target.selected,
        phrase=target.selected_phrase,
        new=target.label is None if opened is None else opened.label is None,
        open=opened is not None,
        marks=0 if opened is None else len(opened.marks.given),
        positive=hand.positive,
        drag=hand.clicks.drag,
        busy=current.busy,
        candidate=0 if found is None else found.at + 1,
        candidates=0 if found is None else len(found.masks),
        elsewhere="" if opened is None else view.elsewhere(opened.place.placement),
        propagates=target.propagates,
        in_hand=hand.clicks.in_hand,
        flat=view.flat,
        name="" if opened is None else opened.name,
        iou=None if found is None else found.mask.iou,
        empty=found is not None and not found.mask.inside.any(),
        blocked=current.drawing.blocked,
        accepting=current.accept_soon,
        held=Path(opened.asked.model.name).name if held else "",
    )
    return replace(state, text=hint(state))


def hint(state: CorrectState) -> str:
    """Say what is, and what to do next.

    Examples
    --------
    >>> hint(CorrectState(on=True, selected=3, new=False))
    'Click what ■ 3 lacks; Shift+click what is too much.'
    """
    if not state.on:
        return ""
    if not state.flat:
        return "Corrections are made in 2-D. Switch the view to 2-D to go on."
    if state.elsewhere:
        return f"The correction of {state.name} waits in {state.elsewhere}."
    if state.in_hand:
        return f"The tool “{state.in_hand}” of the active layer has the mouse."
    if not state.open:
        return _invitation(state)
    if state.accepting:
        return f"{_upper(state.name)} is accepted as soon as it is found."
    if state.held:
        return (
            f"{_upper(state.name)} · {_count(state.marks)}, not computed yet: a click or Accept "
            f"loads {state.held}, and downloads it if it is not on this machine."
        )
    if state.iou is None:
        return f"{_upper(state.name)} · {_count(state.marks)}"
    if state.empty:
        return f"{_upper(state.name)}: nothing found there. Click elsewhere, or undo the click."
    kept = f" · {state.blocked} pixels stay other objects’" if state.blocked else ""  # noqa: RUF001
    return f"{_upper(state.name)} · {_count(state.marks)} · IoU about {state.iou:.2f}{kept}"


def _invitation(state: CorrectState) -> str:
    many = {"box": "Drag a box round", "scribble": "Scribble on"}.get(state.drag, "Click")
    if state.new:
        return f"{many} the new object."
    if state.drag == "box":
        return f"Drag a box round ■ {state.selected}, or click."
    if state.positive:
        return f"{many} what ■ {state.selected} lacks; Shift+click what is too much."
    return f"{many} what is too much of ■ {state.selected}."


def _count(marks: int) -> str:
    return f"{marks} mark{'s' * (marks != 1)}"


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]
