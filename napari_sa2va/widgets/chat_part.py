"""The conversation in the dock: turns, chips and objects, put together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psygnal import Signal
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices, QGuiApplication, QTextCursor
from qtpy.QtWidgets import QDialog, QMessageBox

from napari_sa2va.annotation.conversation import CHAT, Home, current_part
from napari_sa2va.annotation.ready_questions import BLANK, read_questions
from napari_sa2va.engine import CAPTION_QUESTION
from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer.highlighting import Highlight
from napari_sa2va.viewer.navigation import show_object
from napari_sa2va.viewer.regions import RegionChoice, region_snapshot
from napari_sa2va.viewer.stack import stack_axes, stack_snapshot
from napari_sa2va.widgets.asked import TrackOptions
from napari_sa2va.widgets.chat_fonts import FontCheck, sentence
from napari_sa2va.widgets.chat_questions import QuestionsDialog
from napari_sa2va.widgets.chat_turns import Look
from napari_sa2va.widgets.messages import Message, combined

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sa2va.annotation.conversation import Chip
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.widgets.active_run import ActiveRun
    from napari_sa2va.widgets.ask_panel import AskPanel
    from napari_sa2va.widgets.asked import Asked
    from napari_sa2va.widgets.controller import RunController

_SAFE: Final = ("http", "https")


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
        self._highlight = Highlight(viewer)
        self._fonts = FontCheck(self._view.font())
        self._images: frozenset[str] = frozenset()
        self._followed: LabelObjects | None = None
        self._watched: list[LabelObjects] = []
        self._editing: int | None = None
        self._view.looks = self._looks
        self.bar.questions = self.questions
        self._connect()

    def _connect(self) -> None:
        dialogue, view, bar = self._controller.dialogue, self._view, self.bar
        dialogue.said.connect(self._on_said)
        dialogue.grown.connect(self._on_grown)
        dialogue.settled.connect(self._on_settled)
        self._controller.finished.connect(self._on_finished)
        view.chip_entered.connect(self._on_chip_entered)
        view.chip_clicked.connect(self._on_chip_clicked)
        view.link_clicked.connect(self._on_link)
        view.edit_wanted.connect(self.edit)
        view.copy_all_wanted.connect(self.copy_all)
        bar.caption_clicked.connect(self.caption)
        bar.question_chosen.connect(self.choose)
        bar.edit_questions_clicked.connect(self.edit_questions)
        bar.new_clicked.connect(self.begin_anew)
        bar.copy_clicked.connect(self.copy_all)
        bar.keep_clicked.connect(self.keep)
        self._viewer.layers.events.removed.connect(self._on_layer_removed)

    def close(self) -> None:
        """Leave the viewer as it was: the dock goes."""
        self.follow(None)
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        for objects in self._watched:
            objects.changed.disconnect(self._view.refresh_soon)
            objects.labels.events.colormap.disconnect(self._view.refresh_soon)
        self._watched = []
        self._highlight.remove()

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
            replace(self._asked(), text=CAPTION_QUESTION, mode="ask", instead_of=None)
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
        self.bar.show_editing(self._editing is not None)
        self._type(turn.text)

    def keep(self) -> None:
        """Edit no question any more."""
        self._editing = None
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
        turns = self._conversation.turns
        answered = [at for at in self._part() if turns[at].speaker != "you" and turns[at].raw]
        self.bar.show_carried(len(answered))

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
            return
        self._images = images
        self._controller.begins_anew = False
        self.keep()
        order = self._conversation.about_images(images)
        if order != self._view.numbers:
            self._view.show_turns((at, self._conversation.turns[at]) for at in order)
        self._show_carried()

    def recall(self, number: int, home: Home) -> None:
        """Show a turn of a session that was opened."""
        self._conversation.homes[number] = home
        self._follow_chips(home.objects)
        self._on_said(number)

    def _on_said(self, number: int) -> None:
        home = self._conversation.homes.get(number)
        if home is not None and home.images and self._images and not home.images & self._images:
            return
        turn = self._conversation.turns[number]
        self._view.add_turn(number, turn)
        self._check_fonts(turn.text)
        self._show_carried()

    def _on_grown(self, number: int) -> None:
        self._view.grow(number, self._conversation.turns[number].text)

    def _on_settled(self, number: int) -> None:
        turn = self._conversation.turns[number]
        home = self._conversation.homes.get(number)
        if home is not None and turn.chips:
            self._follow_chips(home.objects)
        self._view.change(number, turn)
        self._check_fonts(turn.text)
        self._show_carried()

    def _check_fonts(self, text: str) -> None:
        missing = self._fonts.missing(text)
        if missing:
            self.told.emit(Message(sentence(missing), "warning"))

    # --- chips and objects ---

    def follow(self, objects: LabelObjects | None) -> None:
        """Look for the selected label of these objects in the conversation from now on."""
        if objects is self._followed:
            return
        if self._followed is not None:
            self._followed.labels.events.selected_label.disconnect(self._on_label)
        self._followed = objects
        if objects is not None:
            self._follow_chips(objects)
            objects.labels.events.selected_label.connect(self._on_label)

    def _follow_chips(self, objects: LabelObjects | None) -> None:
        """Let chips change with the objects that they name."""
        if objects is not None and objects not in self._watched:
            self._watched.append(objects)
            objects.changed.connect(self._view.refresh_soon)
            objects.labels.events.colormap.connect(self._view.refresh_soon)

    def _on_layer_removed(self) -> None:
        self._view.refresh_soon()

    def _chip(self, number: int, chip: int) -> tuple[LabelObjects, Chip] | None:
        """Return a chip and whose objects it names; None where these are gone."""
        home = self._conversation.homes.get(number)
        turn = self._conversation.turns[number]
        if home is None or home.objects is None or not 0 <= chip < len(turn.chips):
            return None
        if home.objects.labels not in self._viewer.layers:
            return None
        return home.objects, turn.chips[chip]

    def _looks(self, number: int) -> list[Look | None]:
        """Say how the chips of a turn are drawn now."""
        looks: list[Look | None] = []
        for at, chip in enumerate(self._conversation.turns[number].chips):
            found = self._chip(number, at)
            if not chip.labels:
                looks.append(None)
                continue
            there = [] if found is None else _present(found[0], chip)
            if found is None or not there:
                looks.append(Look(None))
                continue
            labels = found[0].labels
            red, green, blue = np.asarray(labels.get_color(there[0]), dtype=float)[:3]
            looks.append(Look((red, green, blue), int(labels.selected_label) in chip.labels))
        return looks

    def _on_chip_entered(self, number: int, chip: int) -> None:
        found = self._chip(number, chip) if number >= 0 else None
        if found is None:
            self._highlight.hide()
        else:
            self._highlight.show(found[0], _present(*found))

    def _on_chip_clicked(self, number: int, chip: int) -> None:
        """Go to the object; of several to the next one after the one that is selected."""
        found = self._chip(number, chip)
        if found is None:
            return
        objects, there = found[0], _present(*found)
        if not there:
            return
        now = int(objects.labels.selected_label)
        label = there[(there.index(now) + 1) % len(there)] if now in there else there[0]
        point = objects.point(label)
        if point is not None:
            self._highlight.hide()
            show_object(self._viewer, objects.labels, label, point)

    def _on_label(self) -> None:
        """Scroll to where the selected object is named, unless an answer is being said."""
        objects = self._followed
        if objects is None:
            return
        self._view.refresh_soon()
        if self._controller.busy:
            return
        label = int(objects.labels.selected_label)
        for number in reversed(self._view.numbers):
            home = self._conversation.homes.get(number)
            if home is None or home.objects is not objects:
                continue
            for at, chip in enumerate(self._conversation.turns[number].chips):
                if label in chip.labels:
                    self._view.show_chip(number, at)
                    return

    # --- following what an answer found ---

    def _on_finished(self, run: ActiveRun) -> None:
        """Offer to follow what an answer found, where there are planes to follow it through."""
        result = run.result
        if run.chat is None or result is None or not result.labels or run.cancelled.is_set():
            return
        track = self._track(run.asked)
        if track is None:
            return
        labels, many = result.labels, len(result.labels) > 1
        name = next(
            one.name for one in stack_axes(self._viewer, run.asked.images) if one.axis == track.axis
        )
        offer = Message(
            f"{len(labels)} object{'s' * many} found in this plane.",
            "info",
            f"Follow {'them' if many else 'it'} through {name}",
            lambda: self._follow_found(result.objects, labels, run.asked),
        )
        self.told.emit(combined([*run.notes, offer]))

    def _track(self, asked: Asked) -> TrackOptions | None:
        """Return how to follow: as chosen in the dock, else through the first axis there is."""
        chosen = self._asked().track
        axes = stack_axes(self._viewer, asked.images)
        if chosen is not None and any(axis.axis == chosen.axis for axis in axes):
            return replace(chosen, keys="current", each=False)
        if not axes:
            return None
        return TrackOptions(axes[0].axis, "current", "both", None, (0, axes[0].length))

    def _follow_found(self, objects: LabelObjects, labels: tuple[int, ...], asked: Asked) -> None:
        there = [label for label in labels if objects.entry(label) is not None]
        track = self._track(asked)
        if not there or track is None or objects.labels not in self._viewer.layers:
            return
        point = objects.point(there[0])
        assert point is not None
        show_object(self._viewer, objects.labels, there[0], point)
        try:
            stack = stack_snapshot(self._viewer, asked.images, track.axis, asked.look_at)
            placement = stack.placement(stack.axis.current)
            choice = RegionChoice(objects.labels, tuple(there))
            masks = region_snapshot(self._viewer, choice, placement).masks()
        except Sa2VAError as error:
            self.told.emit(Message(str(error), "error"))
            return
        records = [objects.record_of(label) for label in masks]
        phrases = ["" if record is None else record.phrase for record in records]
        seeds = {stack.axis.current: tuple(masks.values())}
        target = replace(asked, target=objects.labels)
        self._controller.follow(stack, seeds, phrases, tuple(masks), track, target)

    # --- copying and links ---

    def copy_all(self) -> None:
        """Put the conversation on the clipboard, as it was written."""
        turns = (self._conversation.turns[number] for number in self._view.numbers)
        said = (
            f"{turn.speaker}: {turn.text}" + (f"\n({turn.note})" if turn.note else "")
            for turn in turns
        )
        QGuiApplication.clipboard().setText("\n\n".join(said))

    def _on_link(self, address: str) -> None:
        """Open a page of the web if the user has seen the address and says so; nothing else."""
        url = QUrl(address, QUrl.ParsingMode.StrictMode)
        if not url.isValid() or url.scheme().lower() not in _SAFE or not url.host():
            text = f"The model wrote a link that is no address of the web: {address[:200]}"
            self.told.emit(Message(f"{text}. It was not opened.", "warning"))
            return
        box = QMessageBox(self._panel)
        box.setWindowTitle("Open a page of the web?")
        box.setText("The model wrote this address; it may be made up. Open it in the browser?")
        box.setInformativeText(url.toDisplayString())
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setStandardButtons(QMessageBox.StandardButton.Open | QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        if box.exec() == QMessageBox.StandardButton.Open:
            QDesktopServices.openUrl(url)


def _present(objects: LabelObjects, chip: Chip) -> list[int]:
    return [label for label in chip.labels if objects.entry(label) is not None]
