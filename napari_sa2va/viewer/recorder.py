"""Writes what happens to the objects of one layer into a session, before anybody sees it."""

from __future__ import annotations

import itertools
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from psygnal import Signal

from napari_sa2va.annotation.actions import Action
from napari_sa2va.annotation.session import (
    CannotRecord,
    ImageInfo,
    SessionDamaged,
    SessionInUse,
    create_session,
    open_session,
)
from napari_sa2va.annotation.session.folding import Folding
from napari_sa2va.annotation.session.pixels import MOST_AT_ONCE, pack_boxes
from napari_sa2va.annotation.session.places import folders_for, note_recent, session_name
from napari_sa2va.annotation.session.state import ASKED, REPLACED, SAME_AS
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.session_info import about_of, labels_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari.layers import Image

    from napari_sa2va.annotation import ObjectRecord, Turn
    from napari_sa2va.annotation.actions import Where
    from napari_sa2va.annotation.session import About, Session
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.unlabelled import Unlabelled

State = Literal["waiting", "saved", "behind"]
FOLD_SECONDS: Final = 20.0
"""How long entries gather before the label array follows."""
RETRY_SECONDS: Final = 5.0
"""How long to wait before a disk that refused is tried again."""
_SECONDS_AT_ONCE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Recording:
    """How it stands with the recording of a layer.

    Attributes
    ----------
    state : "waiting", "saved" or "behind"
        Nothing happened yet; all that happened is on the disk; the disk refuses.
    path : Path or None
        The session's folder.
    when : float
        Time of the last entry, seconds since the epoch; 0 for none.
    reason : str
        Why it is behind.
    """

    state: State = "waiting"
    path: Path | None = None
    when: float = 0.0
    reason: str = ""


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
        self.turns: list[Turn] = []
        self._viewer = viewer
        self._images = images
        self._earlier = earlier
        self._folder = folder
        self._session: Session | None = None
        self._folding: Folding | None = None
        self._records: dict[int, ObjectRecord] = {}
        self._turns_from: int | None = None
        self._whole = not _is_empty(objects)
        self._planes: deque[Where] = deque()
        self._array = _array_of(objects)
        self._recording = Recording()
        self._asked: tuple[int, dict[str, Any]] = (0, {})
        self._behind = False
        self._tried = 0.0

    def start(self) -> None:
        """Follow the layer; go on with the session that it came from, if it came from one."""
        self.objects.done.connect(self.write)
        marks = self.objects.labels.metadata.get(METADATA, {})
        if marks.get("session"):
            self._go_on(Path(marks["session"]), marks.pop("restored", None))

    @property
    def recording(self) -> Recording:
        """How it stands."""
        return self._recording

    @property
    def session(self) -> Session | None:
        """What is written; None before anything happened."""
        return self._session

    def close(self, *, wait: bool = True) -> None:
        """End recording; the session stays, and others may go on with it.

        Parameters
        ----------
        wait : bool
            Return when the label array is up to date; else a thread sees to it.
        """
        self.objects.done.disconnect(self.write)
        if self._session is None:
            return
        self.about_to_write.emit()
        self.tick(finish=True)
        assert self._folding is not None
        self._folding.about = self._about()
        self._folding.close(wait=wait)
        self._session = self._folding = None

    # --- what happens ---

    def write(self, action: Action) -> None:
        """Write an action down; it is on the disk when this returns, or `recording` says why not.

        A disk that refuses costs no work: what is missed is written as it is then, as soon as
        that can be done.
        """
        if self._behind:
            if time.monotonic() - self._tried > RETRY_SECONDS:
                self._catch_up()
            return
        try:
            if self._session is None:
                self._begin()
            self.about_to_write.emit()
            self._append(action)
        except (CannotRecord, OSError) as error:
            self._fall_behind(error)

    def say(self, at: int, turn: Turn) -> None:
        """Note a turn of the conversation; the next entry has it.

        Parameters
        ----------
        at : int
            Which of `turns` it is: one of those there are, said anew, or the next.
        turn : Turn
        """
        self.turns[at : at + 1] = [turn]
        self._turns_from = at if self._turns_from is None else min(at, self._turns_from)

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
            if self._turns_from is not None:
                self._append(Action(ASKED, "Conversation"))
            self._copy_planes(None if finish else _SECONDS_AT_ONCE)
        except (CannotRecord, OSError) as error:
            self._fall_behind(error)
        assert self._folding is not None
        self._folding.about = self._about()
        if self._folding.error is not None and not self._behind:
            self._fall_behind(self._folding.error)

    # --- the session ---

    def _begin(self) -> None:
        """Go on with the image's session, or make one in the best place that can be written."""
        before = self._earlier()
        if before is not None and before.session is not None:
            session, said, self._turns_from = before.hand_over()
            self.turns = [*said, *self.turns]
            self._take(session)
            before.handed_over.emit(before, self)
            return
        about = self._about()
        image = about.images[0] if about.images else ImageInfo(about.labels.name)
        name = session_name(Path(image.path).stem or image.name)
        folders = folders_for(image.path)
        refused: CannotRecord | None = None
        for folder in [self._folder] if self._folder else folders:
            try:
                self._take(create_session(folder, name, about))
                self._records = {}
                self._turns_from = 0 if self.turns else None
                return
            except CannotRecord as error:
                refused = error
        assert refused is not None
        raise refused

    def _go_on(self, path: Path, restored: int | None) -> None:
        """Go on with the session that the layer came from."""
        try:
            session = open_session(path)
        except (SessionInUse, SessionDamaged) as error:
            self._whole = True
            self._forget_session()
            kept = "What you change here is kept in a session of its own."
            self.told.emit("warning", f"{error} {kept}")
            return
        except CannotRecord as error:
            # Tried again with the first thing that happens, in another place if need be.
            self._whole = True
            self._forget_session()
            self._recording = Recording("waiting", None, 0.0, str(error))
            return
        self._take(session)
        # Somebody may have painted while no dock was there: then all is written anew.
        self._whole = restored != session.n
        self._records = dict(session.records)
        self.turns = list(session.turns)
        self._show("saved")

    def _take(self, session: Session) -> None:
        self._session = session
        self._asked = (0, {})
        self._folding = Folding(session, FOLD_SECONDS)
        self.objects.labels.metadata.setdefault(METADATA, {})["session"] = str(session.path)
        note_recent(session.path)

    def _forget_session(self) -> None:
        self.objects.labels.metadata.get(METADATA, {}).pop("session", None)

    def _append(self, action: Action) -> None:
        """Write an entry, of all labels where those before are not known."""
        assert self._session is not None and self._folding is not None
        kind, detail, boxes = action.kind, dict(action.detail), action.touched
        array = _array_of(self.objects)
        labels = self.objects.labels
        if array != self._array or kind == REPLACED:
            kind, detail = REPLACED, detail | {"labels": asdict(labels_info(labels))}
            self._whole = True
        if self._whole:
            everywhere = tuple(slice(0, n) for n in array[0])
            if self._nbytes() <= MOST_AT_ONCE:
                boxes = (everywhere,)
                self._planes.clear()
            else:
                boxes = () if kind == REPLACED else boxes
                self._planes = deque(_planes(array[0]))
        detail = self._shortened(detail)
        rows, records = self._changed_rows()
        if kind == ASKED:  # a run may be under way: rows come with its pixels
            rows, records = {}, self._records
        turns = None
        if self._turns_from is not None:
            turns = self._turns_from, self.turns[self._turns_from :]
        self._session.append(
            kind,
            action.text,
            labels=action.labels,
            boxes=tuple(pack_boxes(labels.data, boxes)),
            rows=rows,
            turns=turns,
            detail=detail,
        )
        self._array, self._whole = array, False
        self._records, self._turns_from = records, None
        self._folding.nudge()
        self._show("saved")

    def _shortened(self, detail: dict[str, Any]) -> dict[str, Any]:
        """Tell what was asked once: a run has many entries, and can have a thousand questions."""
        assert self._session is not None
        known = self._asked[1]
        if "frames" in detail and detail["frames"] is known.get("frames"):
            news = {name: value for name, value in detail.items() if value is not known.get(name)}
            return {SAME_AS: self._asked[0], **news}
        if "frames" in detail:
            self._asked = self._session.n + 1, detail
        return detail

    def _changed_rows(self) -> tuple[dict[int, ObjectRecord | None], dict[int, ObjectRecord]]:
        """Return the rows that are not as they were written last, and all as they are now."""
        records = {record.label: record for record in self.objects.rows()}
        before = self._records
        rows: dict[int, ObjectRecord | None] = {
            label: record
            for label, record in records.items()
            if (known := before.get(label)) is not record and known != record
        }
        rows |= dict.fromkeys(before.keys() - records.keys())
        return rows, records

    def _copy_planes(self, seconds: float | None) -> None:
        """Write planes of a large layer that was not empty when we came to it."""
        assert self._session is not None and self._folding is not None
        end = None if seconds is None else time.monotonic() + seconds
        while self._planes and (end is None or time.monotonic() < end):
            plane = self._planes[0]
            boxes = tuple(pack_boxes(self.objects.labels.data, [plane]))
            self._session.append("copied", f"{len(self._planes) - 1} planes left", boxes=boxes)
            self._planes.popleft()
            self._folding.nudge()

    def _about(self) -> About:
        about = about_of(self._viewer, self.objects.labels, self._images())
        if not about.images and self._session is not None:  # they were deleted
            return type(about)(self._session.about.images, about.labels)
        if self._session is not None:
            folder = self._session.path
            images = tuple(image.seen_from(folder) for image in about.images)
            return type(about)(images, about.labels)
        return about

    def _nbytes(self) -> int:
        shape, dtype = self._array_now
        return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize

    @property
    def _array_now(self) -> tuple[tuple[int, ...], str]:
        return _array_of(self.objects)

    # --- when the disk refuses ---

    def _fall_behind(self, error: Exception) -> None:
        """Go on without the disk, and say so once."""
        first, self._behind = not self._behind, True
        self._tried = time.monotonic()
        self._whole = True
        self._planes.clear()
        self._show("behind", str(error))
        if first:
            self.told.emit("error", str(error))

    def _catch_up(self) -> None:
        """Try to write all as it is now."""
        self._tried = time.monotonic()
        try:
            if self._session is not None and not self._session.is_there:
                self._drop_session()
            if self._session is None:
                self._begin()
            self.about_to_write.emit()
            self._append(Action("caught_up", "Record again after the disk had refused"))
        except (CannotRecord, OSError) as error:
            self._fall_behind(error)
            return
        assert self._session is not None
        self._behind = False
        self._show("saved")
        self.told.emit("info", f"Recording goes on in {self._session.path}.")

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
        self.changed.emit()


def _array_of(objects: LabelObjects) -> tuple[tuple[int, ...], str]:
    """Return shape and type of a layer's array."""
    data = objects.labels.data
    return tuple(int(n) for n in data.shape), str(np.dtype(data.dtype))


def _is_empty(objects: LabelObjects) -> bool:
    """Whether a layer never had any label."""
    try:
        return objects.reserve(1).start == 1
    except InvalidInput:  # no integers left: it is full
        return False


def _planes(shape: tuple[int, ...]) -> Iterable[Where]:
    """Go through the planes of the last two axes as boxes."""
    for at in itertools.product(*map(range, shape[:-2])):
        yield (*(slice(i, i + 1) for i in at), *(slice(0, n) for n in shape[-2:]))
