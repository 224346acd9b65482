"""Where the session is, whether all is saved, and the way back to earlier ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, QTimer, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget
from superqt import QElidingLabel

from napari_sa2va.annotation.conversation import Home
from napari_sa2va.annotation.session import is_session
from napari_sa2va.annotation.session.places import (
    crashed_sessions,
    default_folder,
    recent_sessions,
)
from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer import PlaneSnapshot
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.restore import restore
from napari_sa2va.viewer.sessions import Said, asked, sessions_of
from napari_sa2va.widgets.messages import Message
from napari_sa2va.widgets.objects_model import plain_tip

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Image

    from napari_sa2va.annotation import Conversation
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.recorder import Recorder
    from napari_sa2va.viewer.unlabelled import Unlabelled
    from napari_sa2va.widgets.active_run import TurnDone

_TICK_MILLISECONDS: Final = 1000
_MOST_LISTED: Final = 12
_COLOURS: Final = {"waiting": "#888888", "saved": "#4caf50", "behind": "#e0a01e"}


class SessionRow(QWidget):
    """A line about the recording of the layer that is worked on.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are recorded from `begin` to `close_session`.
    conversation : Conversation
        Kept in the sessions, and taken up from one that is opened.
    images : callable
        Returns the image layers that are looked at.
    """

    told = Signal(object)
    """A `Message`."""
    said = Signal(int, object)
    """The conversation has a turn of a session that was opened: its number, and its `Home`."""

    def __init__(
        self,
        viewer: Any,
        conversation: Conversation,
        images: Callable[[], Sequence[Image]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._conversation = conversation
        self._said = Said(conversation)
        self._images = images
        self._recorder: Recorder | Unlabelled | None = None
        self._returned: list[LabelObjects] = []
        self._open = False
        self.light = QLabel("●")
        self.label = QElidingLabel()
        self.label.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.label.setEllipsesWidth(8)  # else the last letter is cut in two
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.folder = QToolButton()
        self.folder.setText("Show")
        self.folder.setToolTip("Show the session's folder in the file manager")
        self.folder.setAccessibleName("Show the session's folder")
        self.restore = QToolButton()
        self.restore.setText("Restore…")
        self.restore.setToolTip("Open an earlier session: image, objects and conversation")
        # napari's themes draw the arrow over the text.
        self.restore.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.restore.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.restore)
        self.restore.setMenu(self.menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 2, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.light)
        layout.addWidget(self.label, stretch=1)
        layout.addWidget(self.folder)
        layout.addWidget(self.restore)
        self.folder.clicked.connect(self._show_folder)
        self.menu.aboutToShow.connect(self._fill_menu)

        self.sessions = sessions_of(viewer)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MILLISECONDS)
        self._timer.timeout.connect(self._tick)
        self._show()

    def begin(self) -> None:
        """Begin to record; offer the newest session whose process was killed, if there is one."""
        self.sessions.changed.connect(self._show)
        self.sessions.told.connect(self._on_told)
        self.sessions.recalled.connect(self._recall)
        self.sessions.moved.connect(self._said.move)
        self.sessions.providers.append(self._images)
        self._open = True
        for recorder in self.sessions.recorders:  # another dock of this viewer had begun
            self._recall(recorder)
        self.sessions.hold()
        self._timer.start()
        self.offer_crashed()

    def close_session(self) -> None:
        """End recording: the dock goes, or napari does."""
        if not self._open:
            return
        self._open = False
        for recorder in (self._recorder, *self.sessions.recorders):
            self._said.tell(recorder)
        self.sessions.changed.disconnect(self._show)
        self.sessions.told.disconnect(self._on_told)
        self.sessions.recalled.disconnect(self._recall)
        self.sessions.moved.disconnect(self._said.move)
        if self._recorder is not None:
            self._recorder.about_to_write.disconnect(self._hear)
        self.sessions.release()
        self.sessions.providers.remove(self._images)

    def follow(self, objects: LabelObjects | None, *, written: bool = True) -> None:
        """Show how it stands with a layer; what is said from now on is about its objects.

        Parameters
        ----------
        objects : LabelObjects or None
        written : bool
            Whether results go into that layer. If not, and it holds those of other images than the
            ones looked at, what is said belongs to these.
        """
        if objects is not None and not written:
            of = set(objects.labels.metadata.get(METADATA, {}).get("images", ()))
            if of and not of & {layer.unique_id for layer in self._images()}:
                objects = None
        self._take(self.sessions.of(objects) or self.sessions.unlabelled(of=self._images()))

    def _take(self, recorder: Recorder | Unlabelled | None) -> None:
        if recorder is self._recorder:
            return
        if self._recorder is not None:
            self._said.tell(self._recorder)
            self._recorder.about_to_write.disconnect(self._hear)
        self._recorder = recorder
        if recorder is not None:
            recorder.about_to_write.connect(self._hear)
        self._show()

    def note_turn(self, done: TurnDone) -> None:
        """Keep a question that was answered, whether or not anything was found."""
        if not self._open:
            return
        looked_at = {layer.unique_id for layer in self._images()}
        still = not done.images or bool(looked_at & {layer.unique_id for layer in done.images})
        recorder = self._recorder if still else None
        if recorder is None:
            place = done.place
            placement = place.placement if isinstance(place, PlaneSnapshot) else place.first
            own = None if still else self.sessions.of(done.objects)
            recorder = own or self.sessions.unlabelled(placement, done.images)
            if still:
                self._take(recorder)
        if recorder is not None:
            self._said.tell(recorder)
            recorder.write(asked(done.question, done.answer, done.labels, done.detail))

    def offer_crashed(self) -> None:
        """Offer to restore the newest session whose process was killed, if there is one."""
        crashed = crashed_sessions()
        if not crashed:
            return
        newest = crashed[0]
        self.told.emit(
            Message(
                f"The session {newest.stem} ended unexpectedly. All that was completed is kept "
                f"({newest}).",
                "warning",
                "Restore",
                lambda: self.restore_from(newest),
            )
        )

    def restore_from(self, path: Path) -> None:
        """Bring a session back."""
        try:
            restore(self._viewer, path)
        except (Sa2VAError, OSError) as error:
            self.told.emit(Message(str(error), "error"))

    # --- what happens ---

    def _hear(self) -> None:
        self._said.tell(self._recorder)

    def _recall(self, recorder: Recorder) -> None:
        # Not at once: this may be the event of a layer being added, and captions are another one.
        self._returned.append(recorder.objects)
        QTimer.singleShot(0, self._show_phrases)
        labels = recorder.objects.labels
        images = frozenset(labels.metadata.get(METADATA, {}).get("images", ()))
        home = Home(images, recorder.objects)
        for _ in self._said.recall(recorder):
            self.said.emit(len(self._conversation.turns) - 1, home)

    def _show_phrases(self) -> None:
        returned, self._returned = self._returned, []
        for objects in returned:
            objects.show_phrases()

    def _tick(self) -> None:
        self.sessions.tick()

    def _on_told(self, level: Any, sentence: str) -> None:
        self.told.emit(Message(sentence, level))

    def _show(self) -> None:
        if self._recorder is None:
            state, text, tip = "waiting", "Nothing to save yet", ""
        else:
            recording = self._recorder.recording
            state, path = recording.state, recording.path
            tip = "" if path is None else str(path)
            if state == "saved" and path is not None:
                when = time.strftime("%H:%M:%S", time.localtime(recording.when))
                # A folder that nobody chose is named in full, as far as there is room.
                text = f"Saved in {path if path.parent == default_folder() else path.name}"
                tip = f"{tip}\nLast action saved at {when}"
            elif state == "behind":
                text, tip = "Not saved: the disk refuses", recording.reason
            else:
                text = "Nothing to save yet"
        self.label.setText(text)
        self.label.setToolTip(plain_tip(tip) if tip else "")
        self.light.setStyleSheet(f"color: {_COLOURS[state]};")
        self.light.setAccessibleName(f"Session: {state}")
        self.folder.setEnabled(self.path is not None)

    # --- buttons ---

    @property
    def path(self) -> Path | None:
        """The folder of the session of what is worked on; None before there is one."""
        return None if self._recorder is None else self._recorder.recording.path

    def _show_folder(self) -> None:
        if self.path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.path)))

    def _fill_menu(self) -> None:
        self.menu.clear()
        there = {recorder.recording.path for recorder in self.sessions.recorders}
        for path in [path for path in recent_sessions() if path not in there][:_MOST_LISTED]:
            action = self.menu.addAction(f"{path.stem}   ({path.parent})")
            action.triggered.connect(lambda _=False, path=path: self.restore_from(path))
        self.menu.addSeparator()
        self.menu.addAction("Another folder…").triggered.connect(self._choose)

    def _choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "The folder of a session (.sa2va)")
        if not chosen:
            return
        if is_session(Path(chosen)):
            self.restore_from(Path(chosen))
        else:
            self.told.emit(
                Message(f"{chosen} is no session: choose a folder that ends in .sa2va.", "error")
            )
