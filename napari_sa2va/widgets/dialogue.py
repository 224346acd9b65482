"""What is said during a run: questions, answers as they grow, and what was made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sa2va.annotation import Conversation
from napari_sa2va.annotation.conversation import name_objects
from napari_sa2va.widgets.active_run import TurnDone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.engine import QuestionDone
    from napari_sa2va.widgets.active_run import ActiveRun


class Dialogue:
    """Writes the conversation of a dock."""

    said = Signal(bool)
    """There is a new turn (True), or the last one changed (False)."""
    turn_done = Signal(object)
    """A `TurnDone`, also when nothing was found."""

    def __init__(self) -> None:
        self.conversation = Conversation()

    def ask(self, run: ActiveRun, index: int) -> None:
        """Say a question; what follows is the answer."""
        self.conversation.say("you", run.shown(index))
        self.said.emit(True)
        self.conversation.say(_speaker(run))
        self.said.emit(True)

    def go_on(self, text: str) -> None:
        """Add to the answer."""
        self.conversation.extend(text)
        self.said.emit(False)

    def answer(self, run: ActiveRun, done: QuestionDone, labels: Sequence[tuple[int, ...]]) -> None:
        """Give the answer its final form.

        Parameters
        ----------
        run : ActiveRun
        done : QuestionDone
        labels : sequence of tuple of int
            For each mask in order; those of followed objects come when all questions are answered.
        """
        followed = run.asked.track is not None
        text = name_objects(done.answer, None if followed else labels)
        if done.looked:
            text = f"{text} (Looked at: {done.looked}.)"
        found = () if followed else tuple(label for group in labels for label in group)
        self.conversation.settle(text, found)
        self.said.emit(False)
        self.turn_done.emit(TurnDone(run.shown(done.index), text, found, run.detail, run.place))

    def follow(self, run: ActiveRun) -> None:
        """Say what is followed."""
        stack: Any = run.place
        found = tuple(
            label for groups in run.labels.values() for group in groups for label in group
        )
        shown = ", ".join(f"■ {label}" for label in found)
        text = f"Following {shown} through {stack.axis.name}."
        self.conversation.say(_speaker(run), text, found)
        self.said.emit(True)
        if run.seeds is not None:  # nothing was asked
            self.turn_done.emit(TurnDone("", text, found, run.detail, run.place))


def _speaker(run: ActiveRun) -> str:
    return "demo" if run.asked.model.name == "demo" else "Sa2VA"
