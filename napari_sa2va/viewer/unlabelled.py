"""The session of an image that has no labels yet: questions and answers alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from napari_sa2va.annotation.actions import Action
from napari_sa2va.annotation.session import (
    About,
    CannotRecord,
    LabelsInfo,
)
from napari_sa2va.annotation.session.folding import Folding
from napari_sa2va.annotation.session.places import begin_session, note_recent
from napari_sa2va.annotation.session.state import ASKED
from napari_sa2va.viewer import recorder
from napari_sa2va.viewer.recording import Recording, emit, of_earlier, why_behind
from napari_sa2va.viewer.session_info import image_info, plain_geometry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari.layers import Image

    from napari_sa2va.annotation import Turn
    from napari_sa2va.annotation.session import Session
    from napari_sa2va.viewer.placement import Placement


class Unlabelled:
    """Stands in for a `Recorder` until the image has a Labels layer, which goes on with it.

    Parameters
    ----------
    images : sequence of Image
        What was asked about.
    placement : Placement
        Where labels would go.
    folder : Path, optional
        As of `Recorder`.
    """

    changed = Signal()
    told = Signal(str, str)
    about_to_write = Signal()
    handed_over = Signal(object, object)
    """This, and the `Recorder` that goes on with it."""

    def __init__(
        self, images: Sequence[Image], placement: Placement, folder: Path | None = None
    ) -> None:
        self.turns: list[Turn] = []
        self.recording = Recording()
        self.images = frozenset(layer.unique_id for layer in images)
        self.session: Session | None = None
        self._folding: Folding | None = None
        self._folder = folder
        self._turns_from: int | None = None
        labels = LabelsInfo(
            f"{images[0].name} · Sa2VA",
            placement.labels_shape,
            str(np.dtype(np.int32)),
            plain_geometry(placement.labels_geometry()),
        )
        self._about = About(tuple(map(image_info, images)), labels)

    def fits(self, images: Sequence[str], shape: tuple[int, ...], dtype: str) -> bool:
        """Whether a Labels layer is the one that was to be."""
        labels = self._about.labels
        return bool(self.images & set(images)) and (labels.shape, labels.dtype) == (shape, dtype)

    def say(self, at: int, turn: Turn) -> None:
        """Note a turn, as `Recorder.say` does."""
        self.turns[at : at + 1] = [turn]
        self._turns_from = at if self._turns_from is None else min(at, self._turns_from)

    def write(self, action: Action) -> None:
        """Write a question and its answer down, as `Recorder.write` does."""
        emit(self.about_to_write)
        try:
            try:
                self._append(action)
            except CannotRecord:
                if self.session is None or self.session.is_there:
                    raise
                self._drop_session()
                self._append(action)
        except Exception as error:
            reason = why_behind(error)
            if self.recording.state != "behind":
                emit(self.told, "error", reason)
            self._turns_from = 0
            self.recording = Recording("behind", None, 0.0, reason)
        emit(self.changed)

    def hand_over(self) -> tuple[Session | None, list[Turn], int | None]:
        """Give the session to a recorder, if there is one: with it, what was said, and since when.

        Returns
        -------
        session : Session or None
            None where the disk refused.
        turns : list of Turn
        turns_from : int or None
            The first of them that the session lacks.
        """
        session, folding, turns_from = self.session, self._folding, self._turns_from
        self.session = self._folding = self._turns_from = None
        if folding is not None:
            folding.let_go()
        return session, self.turns, turns_from

    def close(self) -> None:
        """End recording; the session stays, with what was said since its last entry."""
        if self._turns_from is not None:
            self.write(Action(ASKED, "Conversation"))
        if self._folding is not None:
            self._folding.close(wait=True)
        self.session = self._folding = None

    def _append(self, action: Action) -> None:
        if self.session is None:
            self._begin()
        assert self.session is not None and self._folding is not None
        at = len(self.turns) if self._turns_from is None else self._turns_from
        self.session.append(
            action.kind,
            action.text,
            labels=action.labels,
            turns=(at, self.turns[at:]),
            detail=action.detail,
        )
        self._turns_from = None
        self._folding.nudge()
        self.recording = Recording("saved", self.session.path, time.time())

    def _begin(self) -> None:
        session = begin_session(self._about, self._folder)
        self._folding = Folding(session, recorder.FOLD_SECONDS)
        self.session = session
        note_recent(session.path)
        if sentence := of_earlier(session, self._folder):
            emit(self.told, "info", sentence)

    def _drop_session(self) -> None:
        """Give up a folder that somebody moved or deleted."""
        assert self._folding is not None
        self._folding.close(wait=False)
        self.session = self._folding = None
        self._turns_from = 0
