"""Writes what happens to the objects of one layer into a session, before anybody sees it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from psygnal import Signal

from napari_sa2va.annotation.actions import Action
from napari_sa2va.annotation.session import (
    CannotRecord,
    SessionDamaged,
    SessionInUse,
    open_session,
)
from napari_sa2va.annotation.session.folding import Folding
from napari_sa2va.annotation.session.places import begin_session, note_recent
from napari_sa2va.annotation.session.state import ASKED
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.recording import (
    Recording,
    about_now,
    answer_or,
    emit,
    of_earlier,
    why_behind,
)
from napari_sa2va.viewer.unwritten import Unwritten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Image

    from napari_sa2va.annotation import Turn
    from napari_sa2va.annotation.session import About, Session
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.recording import State
    from napari_sa2va.viewer.unlabelled import Unlabelled

FOLD_SECONDS: Final = 20.0
"""How long entries gather before the label array follows."""
RETRY_SECONDS: Final = 5.0
"""How long to wait before a disk that refused is tried again."""
_SECONDS_AT_ONCE: Final = 0.02


class Recorder:
    """Records one layer, from the first thing that happens to its objects on.

    All is called in the thread that changes the layer.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Has the images.
    objects : LabelObjects
        Followed from `start` until `close`.
    images : callable
        Returns the images that are looked at, for layers that do not say whose they are.
    folder : Path, optional
        Where the session goes; beside the image, else into the user's folder, if left out.
    earlier : callable
        Returns what recorded questions about the image before there was a layer.
    """

    changed = Signal()
    """`recording` changed."""
    told = Signal(str, str)
    """A level ("info", "warning", "error") and a sentence."""
    about_to_write = Signal()
    """An entry is about to be written: the conversation can still go into it."""

    def __init__(
        self,
        viewer: Any,
        objects: LabelObjects,
        *,
        images: Callable[[], Sequence[Image]] = tuple,
        folder: Path | None = None,
        earlier: Callable[[], Unlabelled | None] = lambda: None,
    ) -> None:
        self.objects = objects
        self._viewer = viewer
        self._images = images
        self._earlier = earlier
        self._folder = folder
        self._unwritten = Unwritten(objects)
        self._session: Session | None = None
        self._folding: Folding | None = None
        self._recording = Recording()
        self._behind = False
        self._tried = 0.0
        self._told_of_folding = False

    def start(self) -> None:
        """Follow the layer; go on with the session that it came from, if it came from one."""
        self.objects.done.connect(self.write)
        marks = self.objects.labels.metadata.get(METADATA, {})
        if marks.get("session"):
            try:
                self._go_on(Path(marks["session"]), marks.pop("restored", None))
            except Exception as error:
                self._fall_behind(error)

    @property
    def recording(self) -> Recording:
        """How it stands."""
        return self._recording

    @property
    def turns(self) -> list[Turn]:
        """The conversation about the layer."""
        return self._unwritten.turns

    @property
    def images(self) -> frozenset[str]:
        """Ids of the image layers that the layer belongs to; empty where it does not say."""
        return frozenset(self.objects.labels.metadata.get(METADATA, {}).get("images", ()))

    @property
    def session(self) -> Session | None:
        """What is written; None before anything happened."""
        return self._session

    def close(self, *, wait: bool = True) -> Folding | None:
        """End recording; the session stays, and others may go on with it.

        Parameters
        ----------
        wait : bool
            Return when the label array is up to date; else a thread sees to it, which is returned
            and must be joined before Python ends.
        """
        self.objects.done.disconnect(self.write)
        if self._session is None:
            return None
        emit(self.about_to_write)
        self.tick(finish=True)
        assert self._folding is not None
        self._note_names()
        folding = self._folding
        folding.close(wait=wait)
        self._session = self._folding = None
        return folding

    # --- what happens ---

    def write(self, action: Action) -> None:
        """Write an action down; it is on the disk when this returns, or `recording` says why not.

        A disk that refuses, or a fault of ours, costs no work, and never stops the action itself:
        what is missed is written as it is then, as soon as that can be done.
        """
        if self._behind:
            if time.monotonic() - self._tried > RETRY_SECONDS:
                self._catch_up()
            return
        try:
            if self._session is None:
                self._begin()
            emit(self.about_to_write)
            self._append(action)
        except Exception as error:
            self._fall_behind(error)

    def say(self, at: int, turn: Turn) -> None:
        """Note a turn of the conversation; the next entry has it.

        Parameters
        ----------
        at : int
            Which of `turns` it is: one of those there are, said anew, or the next.
        turn : Turn
        """
        self._unwritten.say(at, turn)

    def tick(self, *, finish: bool = False) -> None:
        """Do what can wait: to be called every second or so.

        Parameters
        ----------
        finish : bool
            Do all of it now.
        """
        if self._behind and (finish or time.monotonic() - self._tried > RETRY_SECONDS):
            self._catch_up()
        if self._session is None or self._behind:
            return
        try:
            if self._unwritten.turns_from is not None:
                self._append(Action(ASKED, "Conversation"))
            self._copy_planes(None if finish else _SECONDS_AT_ONCE)
            self._look_after_folding()
        except Exception as error:
            self._fall_behind(error)

    # --- the session ---

    def _begin(self) -> None:
        """Go on with the image's session, or make one in the best place that can be written."""
        before = self._earlier()
        if before is not None:
            session, said, turns_from = before.hand_over()
            self._unwritten.put_before(said, turns_from)
            if session is not None:
                self._take(session)
            emit(before.handed_over, before, self)
        if self._session is not None:
            return
        session = begin_session(self._about(), self._folder)
        self._take(session)
        self._unwritten.begin()
        if sentence := of_earlier(session, self._folder):
            emit(self.told, "info", sentence)

    def _go_on(self, path: Path, restored: int | None) -> None:
        """Go on with the session that the layer came from."""
        try:
            session = open_session(path)
        except (SessionInUse, SessionDamaged) as error:
            self._unwritten.whole = True
            self._forget_session()
            kept = "What you change here is kept in a session of its own."
            emit(self.told, "warning", f"{error} {kept}")
            return
        except CannotRecord as error:
            # Tried again with the first thing that happens, in another place if need be.
            self._unwritten.whole = True
            self._forget_session()
            self._recording = Recording("waiting", None, 0.0, str(error))
            return
        self._take(session)
        # Somebody may have painted while no dock was there: then all is written anew.
        self._unwritten.whole = restored != session.n
        self._unwritten.take_up(session)
        self._show("saved")

    def _take(self, session: Session) -> None:
        self._folding = Folding(session, FOLD_SECONDS)
        self._session = session
        self.objects.labels.metadata.setdefault(METADATA, {})["session"] = str(session.path)
        note_recent(session.path)

    def _forget_session(self) -> None:
        self.objects.labels.metadata.get(METADATA, {}).pop("session", None)

    def _append(self, action: Action) -> None:
        assert self._session is not None and self._folding is not None
        self._unwritten.append_to(self._session, action)
        self._folding.nudge()
        self._show("saved")

    def _copy_planes(self, seconds: float | None) -> None:
        """Write planes of a large layer that was not empty when we came to it."""
        assert self._session is not None and self._folding is not None
        end = None if seconds is None else time.monotonic() + seconds
        while self._unwritten.planes and (end is None or time.monotonic() < end):
            self._unwritten.copy_plane(self._session)
            self._folding.nudge()

    def _look_after_folding(self) -> None:
        """Tell the thread what layers are called; say once that the label array cannot follow."""
        assert self._session is not None and self._folding is not None
        self._note_names()
        error = self._folding.error
        if error is not None and not self._session.is_there:
            self._fall_behind(error)
        elif error is not None and not self._told_of_folding:
            emit(self.told, "warning", f"{error} The log of the session has everything so far.")
        self._told_of_folding = error is not None

    def _note_names(self) -> None:
        assert self._folding is not None
        self._folding.about = answer_or(self._about, self._folding.about)

    def _about(self) -> About:
        return about_now(self._viewer, self.objects.labels, self._images, self._session)

    # --- when the disk refuses ---

    def _fall_behind(self, error: Exception) -> None:
        """Go on without the disk, and say so once."""
        first, self._behind = not self._behind, True
        self._tried = time.monotonic()
        self._unwritten.lose()
        reason = why_behind(error)
        self._show("behind", reason)
        if first:
            emit(self.told, "error", reason)

    def _catch_up(self) -> None:
        """Try to write all as it is now."""
        self._tried = time.monotonic()
        try:
            if self._session is not None and not self._session.is_there:
                self._drop_session()
            if self._session is None:
                self._begin()
            emit(self.about_to_write)
            self._append(Action("caught_up", "Record again after the disk had refused"))
        except Exception as error:
            self._fall_behind(error)
            return
        assert self._session is not None
        self._behind = False
        self._show("saved")
        emit(self.told, "info", f"Recording goes on in {self._session.path}.")

    def _drop_session(self) -> None:
        """Give up a folder that somebody moved or deleted; another one is made."""
        assert self._folding is not None
        self._folding.close(wait=False)
        self._session = self._folding = None
        self._forget_session()

    def _show(self, state: State, reason: str = "") -> None:
        path = None if self._session is None else self._session.path
        when = time.time() if state == "saved" else self._recording.when
        self._recording = Recording(state, path, when, reason)
        emit(self.changed)
