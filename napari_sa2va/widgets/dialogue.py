"""What is said during a run: questions, answers as they grow, and what was made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psygnal import Signal

from napari_sa2va.annotation import Conversation
from napari_sa2va.annotation.conversation import CHAT, Chip, Home, current_part, with_chips
from napari_sa2va.annotation.said_counts import beside
from napari_sa2va.widgets.active_run import TurnDone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.engine import QuestionDone
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.widgets.active_run import ActiveRun

CUT: Final = "Cut at the greatest length: the answer did not end by itself."
STOPPED: Final = "Stopped before the answer was complete; it does not go with later questions."


class Dialogue:
    """Writes the conversation of a dock."""

    said = Signal(int)
    """There is a new turn: its number."""
    grown = Signal(int)
    """An answer goes on."""
    settled = Signal(int)
    """A turn is otherwise than it was."""
    turn_done = Signal(object)
    """A `TurnDone`, also when nothing was found, or the answer was stopped."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.growing: int | None = None
        """The answer that is being said. Turns of a session that is opened may come after it."""
        self._asked: tuple[ActiveRun, int] | None = None

    def ask(self, run: ActiveRun, index: int, objects: LabelObjects | None = None) -> None:
        """Say a question about an image, or its objects; what follows is the answer."""
        question, chat = run.questions[index], run.chat
        kind: str = run.asked.mode if chat is None else CHAT
        self._say(
            run,
            "you",
            run.shown(index),
            raw=question.text,
            kind=kind,
            about="" if chat is None else chat.about,
            regions=() if chat is None else chat.regions,
            begins=chat is not None and chat.begins,
        )
        self.growing = self._say(run, _speaker(run), kind=kind)
        self._asked = run, index
        for number in (self.growing - 1, self.growing):
            self.conversation.homes[number] = Home(_images(run), objects)

    def go_on(self, text: str) -> None:
        """Add to the answer."""
        if self.growing is not None:
            self.conversation.extend(text, self.growing)
            self.grown.emit(self.growing)

    def answer(
        self,
        run: ActiveRun,
        done: QuestionDone,
        labels: Sequence[tuple[int, ...]],
        objects: LabelObjects | None = None,
    ) -> None:
        """Give the answer its final form.

        Parameters
        ----------
        run : ActiveRun
        done : QuestionDone
        labels : sequence of tuple of int
            For each mask in order; those of followed objects come when all questions are answered.
        objects : LabelObjects, optional
            Whose labels these are, or where they would go.
        """
        number = self._over()
        if number is None:
            return
        followed = run.asked.track is not None
        text, chips = with_chips(done.answer, None if followed else labels)
        if done.looked:
            text = f"{text} (Looked at: {done.looked}.)"
        found = () if followed else tuple(label for group in labels for label in group)
        notes = [] if done.complete or run.cancelled.is_set() else [CUT]
        if run.chat is not None:
            notes += [beside(run.asked.text, done.answer, _phrases_in_plane(run, objects))]
        self.conversation.homes[number] = Home(_images(run), objects)
        self.conversation.settle(
            text,
            found,
            number,
            chips=chips,
            raw=done.raw or done.answer,
            note="\n".join(filter(None, notes)),
        )
        self.settled.emit(number)
        told = " ".join(text.split())
        asked, images = run.shown(done.index), run.asked.images
        self.turn_done.emit(TurnDone(asked, told, found, run.detail, run.place, images, objects))

    def follow(self, run: ActiveRun) -> None:
        """Say what is followed."""
        stack: Any = run.place
        found = tuple(
            label for groups in run.labels.values() for group in groups for label in group
        )
        text, chips = _listed("Following ", found, f" through {stack.axis.name}.")
        result = run.result
        last = self._say(run, _speaker(run), text, found, chips=chips)
        objects = None if result is None else result.objects
        self.conversation.homes[last] = Home(_images(run), objects)
        self.settled.emit(last)
        if run.seeds is not None:  # nothing was asked
            images = run.asked.images
            self.turn_done.emit(TurnDone("", text, found, run.detail, run.place, images, objects))

    def end(self, *, tell: bool = True) -> None:
        """Say so, if the run ended in the middle of an answer; what it had found is named.

        Parameters
        ----------
        tell : bool
            Whether `turn_done` is emitted. A dock that closes keeps the conversation by itself.
        """
        asked, number = self._asked, self._over()
        if number is None or asked is None:
            return
        run, index = asked
        objects = None if run.result is None else run.result.objects
        kept = objects is not None and run.asked.track is None
        labels = run.labels.get(index, []) if kept else None
        text, chips = with_chips(self.conversation.turns[number].text, labels, stopped=True)
        found = tuple(label for group in labels or () for label in group)
        if objects is not None:
            self.conversation.homes[number] = Home(_images(run), objects)
        self.conversation.settle(text, found, number, chips=chips, note=STOPPED)
        self.settled.emit(number)
        if not tell:
            return
        detail = {**run.detail, "stopped": True}
        told, images = " ".join(text.split()), run.asked.images
        self.turn_done.emit(
            TurnDone(run.shown(index), told, found, detail, run.place, images, objects)
        )

    def _over(self) -> int | None:
        """Return the answer that was being said; none is any more."""
        number, self.growing, self._asked = self.growing, None, None
        return number

    def set_aside(self, run: ActiveRun) -> None:
        """Grey what a question takes the place of: the one before it, and all that followed."""
        first, said = run.asked.instead_of, self.conversation
        if first is not None:
            part = current_part(said.turns, said.about_images(_images(run)))
            for at in said.set_aside(at for at in part if at >= first):
                self.settled.emit(at)

    def _say(
        self, run: ActiveRun, speaker: str, text: str = "", labels: Sequence[int] = (), **more: Any
    ) -> int:
        """Begin a turn; return its number."""
        self.conversation.say(speaker, text, labels, **more)
        last = len(self.conversation.turns) - 1
        self.conversation.homes[last] = Home(_images(run))
        self.said.emit(last)
        return last


def _speaker(run: ActiveRun) -> str:
    return "demo" if run.asked.model.name == "demo" else "Sa2VA"


def _images(run: ActiveRun) -> frozenset[str]:
    return frozenset(layer.unique_id for layer in run.asked.images)


def _listed(before: str, labels: Sequence[int], after: str) -> tuple[str, tuple[Chip, ...]]:
    """Name labels in a sentence, a chip each."""
    text, chips = before, []
    for number, label in enumerate(labels):
        text += ", " if number else ""
        chips.append(Chip(len(text), len(text) + len(f"■ {label}"), (label,)))
        text += f"■ {label}"
    return text + after, tuple(chips)


def _phrases_in_plane(run: ActiveRun, objects: LabelObjects | None) -> list[str] | None:
    """Return the phrases of the objects of the plane that was looked at, but for rejected ones."""
    if objects is None:
        return None
    index = run.placement.index
    rows = [row for row in objects.rows() if row.status != "rejected"]
    entries = ((row, objects.entry(row.label)) for row in rows)
    return [row.phrase for row, entry in entries if entry is not None and entry.is_in(index)]
