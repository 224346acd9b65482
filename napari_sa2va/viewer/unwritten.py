"""What the log of a layer lacks: pixels, rows and words that changed since the last entry."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.session.pixels import MOST_AT_ONCE, pack_boxes
from napari_sa2va.annotation.session.state import ASKED, REPLACED, SAME_AS
from napari_sa2va.viewer.session_info import labels_info

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_sa2va.annotation import ObjectRecord, Turn
    from napari_sa2va.annotation.actions import Action, Where
    from napari_sa2va.annotation.session import Session
    from napari_sa2va.viewer.objects import LabelObjects


@dataclass(slots=True)
class _Written:
    """What the log has."""

    array: tuple[tuple[int, ...], str]
    records: dict[int, ObjectRecord] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    request_n: int = 0


class Unwritten:
    """Knows what the log of one layer has, and makes entries of the rest.

    Parameters
    ----------
    objects : LabelObjects
        Of the layer.
    """

    def __init__(self, objects: LabelObjects) -> None:
        self.turns: list[Turn] = []
        """The whole conversation about the layer."""
        self.turns_from: int | None = None
        """The first of the turns that the log lacks."""
        self.whole = not _is_empty(objects)
        """Whether the log lacks labels, and it is not known which."""
        self.planes: deque[Where] = deque()
        """Planes that it lacks yet, of a layer that is too large to be packed at once."""
        self._objects = objects
        self._written = _Written(_array_of(objects))

    def say(self, at: int, turn: Turn) -> None:
        """Note a turn: one of those there are, said anew, or the next."""
        self.turns[at : at + 1] = [turn]
        self.turns_from = at if self.turns_from is None else min(at, self.turns_from)

    def begin(self) -> None:
        """Note that a new session has nothing yet."""
        self._written = _Written(self._written.array)
        self.turns_from = 0 if self.turns else None

    def take_up(self, session: Session) -> None:
        """Note that an earlier session has its rows and its conversation."""
        self._written = _Written(self._written.array, dict(session.records))
        self.turns = list(session.turns)

    def put_before(self, said: Sequence[Turn], turns_from: int | None) -> None:
        """Note that a session has a conversation, and nothing else."""
        self._written = _Written(self._written.array)
        self.turns = [*said, *self.turns]
        self.turns_from = turns_from

    def lose(self) -> None:
        """Entries could not be written: all labels are to be."""
        self.whole = True
        self.planes.clear()

    def append_to(self, session: Session, action: Action) -> None:
        """Write an entry, of all labels where it is not known what the log lacks.

        Raises
        ------
        CannotRecord, OSError
            It could not be written, or the layer could not be read; nothing is taken for written.
        """
        kind, detail, boxes = action.kind, dict(action.detail), action.touched
        array, whole = _array_of(self._objects), self.whole
        labels = self._objects.labels
        if array != self._written.array or kind == REPLACED:
            kind, detail, whole = REPLACED, detail | {"labels": asdict(labels_info(labels))}, True
        planes = self.planes
        if whole and _nbytes(array) <= MOST_AT_ONCE:
            boxes, planes = (tuple(slice(0, n) for n in array[0]),), deque()
        elif whole:
            boxes, planes = () if kind == REPLACED else boxes, deque(_planes(array[0]))
        request, request_n, detail = self._told_once(detail, session.n + 1)
        rows, records = self._changed_rows()
        if kind == ASKED:  # a run may be under way: rows come with its pixels
            rows, records = {}, self._written.records
        turns = None
        if self.turns_from is not None:
            turns = self.turns_from, self.turns[self.turns_from :]
        session.append(
            kind,
            action.text,
            labels=action.labels,
            boxes=tuple(self._objects.packed(boxes) or pack_boxes(labels.data, boxes)),
            rows=rows,
            turns=turns,
            detail=detail,
        )
        self._written = _Written(array, records, request, request_n)
        self.turns_from, self.whole, self.planes = None, False, planes

    def copy_plane(self, session: Session) -> None:
        """Write one of `planes`.

        Raises
        ------
        CannotRecord, OSError
            As of `append_to`.
        """
        boxes = tuple(pack_boxes(self._objects.labels.data, [self.planes[0]]))
        session.append("copied", f"{len(self.planes) - 1} planes left", boxes=boxes)
        self.planes.popleft()

    def _told_once(
        self, detail: dict[str, Any], n: int
    ) -> tuple[dict[str, Any], int, dict[str, Any]]:
        """Leave out what an earlier entry of the same run says: it can be a thousand questions."""
        known, at = self._written.request, self._written.request_n
        if "frames" not in detail:
            return known, at, detail
        if detail["frames"] is not known.get("frames"):
            return detail, n, detail
        news = {name: value for name, value in detail.items() if value is not known.get(name)}
        return known, at, {SAME_AS: at, **news}

    def _changed_rows(self) -> tuple[dict[int, ObjectRecord | None], dict[int, ObjectRecord]]:
        """Return the rows that are not as they were written last, and all as they are now."""
        records = {record.label: record for record in self._objects.rows()}
        before = self._written.records
        rows: dict[int, ObjectRecord | None] = {
            label: record
            for label, record in records.items()
            if (known := before.get(label)) is not record and known != record
        }
        rows |= dict.fromkeys(before.keys() - records.keys())
        return rows, records


def _array_of(objects: LabelObjects) -> tuple[tuple[int, ...], str]:
    """Return shape and type of a layer's array."""
    data = objects.labels.data
    return tuple(int(n) for n in data.shape), str(np.dtype(data.dtype))


def _nbytes(array: tuple[tuple[int, ...], str]) -> int:
    return int(np.prod(array[0], dtype=np.int64)) * np.dtype(array[1]).itemsize


def _is_empty(objects: LabelObjects) -> bool:
    """Whether a layer never had any label."""
    return objects.next_label() == 1


def _planes(shape: tuple[int, ...]) -> Iterable[Where]:
    """Go through the planes of the last two axes as boxes."""
    for at in itertools.product(*map(range, shape[:-2])):
        yield (*(slice(i, i + 1) for i in at), *(slice(0, n) for n in shape[-2:]))
