"""The conversation in the dock: turns, chips and objects, put together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtGui import QGuiApplication, QTextCursor
from qtpy.QtWidgets import QDialog

from napari_sa2va.annotation.conversation import CHAT, Home, current_part
from napari_sa2va.annotation.ready_questions import BLANK, read_questions
from napari_sa2va.engine import CAPTION_QUESTION
from napari_sa2va.errors import Sa2VAError
from napari_sa2va.widgets.active_run import place_of
from napari_sa2va.widgets.chat_chips import ChatChips
from napari_sa2va.widgets.chat_following import ChatFollowing
from napari_sa2va.widgets.chat_fonts import FontCheck, sentence
from napari_sa2va.widgets.chat_links import open_link
from napari_sa2va.widgets.chat_questions import QuestionsDialog
from napari_sa2va.widgets.chat_runs import sent_along
from napari_sa2va.widgets.messages import Message

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.widgets.ask_panel import AskPanel
    from napari_sa2va.widgets.asked import Asked
    from napari_sa2va.widgets.controller import RunController

_CARRIED_MILLISECONDS: Final = 100


class ChatPart:
    """Shows the conversation about the image that is looked at, and lets it be gone on with.

    Parameters
    ----------
    viewer : napari.Viewer
    controller : RunController
        Whose conversation is shown.
    panel : AskPanel
        Where.
    asked : callable
        Returns what Run would send now.
    session : callable
        Returns the folder of the session of what is worked on; None before there is one.
    """

    told = Signal(object)
    """A `Message`."""

    def __init__(
        self,
        viewer: Any,
        controller: RunController,
        panel: AskPanel,
        asked: Callable[[], Asked],
        session: Callable[[], Path | None],
    ) -> None:
        self._viewer = viewer
        self._controller = controller
        self._conversation = controller.conversation
        self._panel, self._view, self.bar = panel, panel.transcript, panel.bar
        self._asked = asked
        self._session = session
        self._fonts = FontCheck(self._view.font())
        self._images: frozenset[str] = frozenset()
        self._editing: int | None = None
        self.chips = ChatChips(
            viewer, self._conversation, self._view, lambda: self._controller.busy
        )
        self.following = ChatFollowing(viewer, controller, asked)
        self.following.told.connect(self.told.emit)
        self.bar.questions = self.questions
        self._carried_timer = QTimer(panel)
        self._carried_timer.setSingleShot(True)
        self._carried_timer.setInterval(_CARRIED_MILLISECONDS)
        self._connect()

    def _connect(self) -> None:
        dialogue, view, bar = self._controller.dialogue, self._view, self.bar
        dialogue.said.connect(self._on_said)
        dialogue.grown.connect(self._on_grown)
        dialogue.settled.connect(self._on_settled)
        view.link_clicked.connect(self._on_link)
        view.edit_wanted.connect(self.edit)
        view.copy_all_wanted.connect(self.copy_all)
        bar.caption_clicked.connect(self.caption)
        bar.question_chosen.connect(self.choose)
        bar.edit_questions_clicked.connect(self.edit_questions)
        bar.new_clicked.connect(self.begin_anew)
        bar.copy_clicked.connect(self.copy_all)
        bar.keep_clicked.connect(self.keep)
        bar.about_changed.connect(self._show_carried_soon)
        self._carried_timer.timeout.connect(self._show_carried)
        self._viewer.dims.events.point.connect(self._show_carried_soon)

    def close(self) -> None:
        """Stop following the viewer; an answer that is being said ends here."""
        self._viewer.dims.events.point.disconnect(self._show_carried_soon)
        dialogue = self._controller.dialogue
        dialogue.said.disconnect(self._on_said)  # the widgets may be gone already
        dialogue.grown.disconnect(self._on_grown)
        dialogue.settled.disconnect(self._on_settled)
        dialogue.end(tell=False)
        self.chips.close()

    def leave(self) -> None:
        """Take off the viewer what was put on it: the dock goes, and the viewer stays."""
        self.chips.remove_highlight()

    def follow(self, objects: LabelObjects | None) -> None:
        """Look for the selected label of these objects in the conversation from now on."""
        self.chips.follow(objects)

    # --- asking ---

    @property
    def instead_of(self) -> int | None:
        """The question that the next one is asked in the place of; None for one more."""
        return self._editing if self._panel.mode == "ask" else None

    def ran(self) -> None:
        """Note that what was typed is being asked."""
        self.keep()

    def caption(self) -> None:
        """Ask for a description of the image, with masks."""
        self._controller.ask(
            replace(self._asked(), text=CAPTION_QUESTION, mode="ask", movie=None, instead_of=None)
        )

    def questions(self) -> str:
        """Return the text of the ready-made questions."""
        return read_questions(self._session())

    def choose(self, question: str) -> None:
        """Put a ready-made question into the composer; what is to be filled in is marked."""
        self._panel.mode = "ask"
        self._type(question)
        at = question.find(BLANK)
        if at >= 0:
            cursor = self._panel.composer.textCursor()
            cursor.setPosition(at)
            cursor.setPosition(at + len(BLANK), QTextCursor.MoveMode.KeepAnchor)
            self._panel.composer.setTextCursor(cursor)

    def edit_questions(self) -> None:
        """Let the user change the ready-made questions."""
        dialog = QuestionsDialog(self._session(), self._panel)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            try:
                dialog.save()
            except (Sa2VAError, OSError) as error:
                self.told.emit(Message(str(error), "error"))
        dialog.deleteLater()

    def edit(self, number: int) -> None:
        """Take an earlier question into the composer, to be asked in its place."""
        turn = self._conversation.turns[number]
        if turn.kind:
            self._panel.mode = "ask" if turn.kind == CHAT else turn.kind
        self._editing = number if number in self._part() else None
        self._show_carried_soon()
        self.bar.show_editing(self._editing is not None)
        self._type(turn.text)

    def keep(self) -> None:
        """Edit no question any more."""
        self._editing = None
        self._show_carried_soon()
        self.bar.show_editing(False)

    def begin_anew(self) -> None:
        """Let the next question begin a new conversation; what was said stays."""
        self.keep()
        self._controller.begins_anew = True
        self._show_carried()
        self._panel.composer.setFocus()

    def _type(self, text: str) -> None:
        self._panel.composer.setPlainText(text)
        self._panel.composer.setFocus()

    def _part(self) -> list[int]:
        """Return the turns that the next question goes on from."""
        if self._controller.begins_anew:
            return []
        order = self._conversation.about_images(self._images)
        return current_part(self._conversation.turns, order)

    def _show_carried(self) -> None:
        """Say how many questions would be sent along; and how many there are."""
        self._carried_timer.stop()
        turns = self._conversation.turns
        said = sum(turns[at].speaker != "you" and bool(turns[at].raw) for at in self._part())
        self.bar.show_carried(self._sent() if said else 0, said)

    def _show_carried_soon(self, *_: object) -> None:
        if not self._carried_timer.isActive():
            self._carried_timer.start()

    def _sent(self) -> int:
        asked = replace(
            self._asked(),
            mode="ask",
            track=None,
            movie=self.bar.movie,
            instead_of=self._editing,
        )
        try:
            place, _ = place_of(self._viewer, asked)
        except Sa2VAError:  # said when it matters: at Run
            return 0
        return len(sent_along(asked, place, self._conversation))

    # --- what is shown ---

    def show_images(self, images: frozenset[str], objects: LabelObjects | None) -> None:
        """Show what was said about some images, and follow the objects that are worked on.

        Parameters
        ----------
        images : frozenset of str
            Ids of the layers that are looked at.
        objects : LabelObjects or None
            Whose selected label is looked for in the conversation.
        """
        self.follow(objects)
        if images == self._images:
            self._show_carried_soon()  # another part of them may be looked at
            return
        self._images = images
        self._controller.begins_anew = False
        self.keep()
        order = self._conversation.about_images(images)
        if order != self._view.numbers:
            self._show_turns(order)
        self._show_carried()

    def _show_turns(self, order: list[int]) -> None:
        growing, turns = self._controller.dialogue.growing, self._conversation.turns
        self._view.show_turns(
            (at, replace(turns[at], text="") if at == growing else turns[at]) for at in order
        )
        if growing in order:
            self._on_grown(growing)

    def recall(self, number: int, home: Home) -> None:
        """Show a turn of a session that was opened."""
        self._conversation.homes[number] = home
        self.chips.watch(home.objects)
        self._on_said(number)

    def _on_said(self, number: int) -> None:
        home = self._conversation.homes.get(number)
        if home is not None and home.images and self._images and not home.images & self._images:
            return
        turn = self._conversation.turns[number]
        self._view.add_turn(number, turn)
        self._check_fonts(turn.text)
        self._show_carried_soon()

    def _on_grown(self, number: int) -> None:
        self._view.grow(number, self._conversation.turns[number].text)

    def _on_settled(self, number: int) -> None:
        turn = self._conversation.turns[number]
        home = self._conversation.homes.get(number)
        if home is not None and turn.chips:
            self.chips.watch(home.objects)
        self._view.change(number, turn)
        self._check_fonts(turn.text)
        self._show_carried()

    def _check_fonts(self, text: str) -> None:
        missing = self._fonts.missing(text)
        if missing:
            self.told.emit(Message(sentence(missing), "warning"))

    # --- copying and links ---

    def copy_all(self) -> None:
        """Put the conversation on the clipboard, as it was written."""
        turns = ((at, self._conversation.turns[at]) for at in self._view.numbers)
        said = (
            f"{turn.speaker}: {self._view.text_of(at)}" + (f"\n({turn.note})" if turn.note else "")
            for at, turn in turns
        )
        QGuiApplication.clipboard().setText("\n\n".join(said))

    def _on_link(self, address: str) -> None:
        refused = open_link(address, self._panel)
        if refused is not None:
            self.told.emit(refused)
