"""What one does to objects, each of them one step that can be undone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sa2va.annotation.records import STATUSES
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.descriptions import entries_for
from napari_sa2va.viewer.entries import Entry, Spot, joined
from napari_sa2va.viewer.parts import Piece, connected_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.viewer.objects import LabelObjects

_VERBS = {
    "proposed": "Propose {} again",
    "accepted": "Accept {}",
    "rejected": "Reject {}",
    "flagged": "Flag {}",
}


def set_status(objects: LabelObjects, labels: Sequence[int], status: str) -> None:
    """Say of objects what a reviewer thinks of them: one of `STATUSES`."""
    if status not in STATUSES:
        raise InvalidInput(f"There is no status {status!r}, only {', '.join(STATUSES)}.")
    _change(objects, labels, "status", _VERBS[status].format(named(labels)), status=status)


def rename(objects: LabelObjects, labels: Sequence[int], phrase: str) -> None:
    """Give objects another phrase."""
    phrase = " ".join(phrase.split())
    _change(objects, labels, "rename", f"Rename {named(labels)} to “{phrase}”", phrase=phrase)


def set_note(objects: LabelObjects, labels: Sequence[int], note: str) -> None:
    """Write a note on objects; empty takes it away."""
    note = " ".join(note.split())
    text = f"Note on {named(labels)}" if note else f"Take the note off {named(labels)}"
    _change(objects, labels, "note", text, note=note)


def set_locked(objects: LabelObjects, labels: Sequence[int], locked: bool) -> None:
    """Lock objects, so that nothing changes their pixels, or unlock them."""
    text = f"{'Lock' if locked else 'Unlock'} {named(labels)}"
    _change(objects, labels, "lock", text, locked=locked)


def recolour(objects: LabelObjects, labels: Sequence[int], colour: str) -> None:
    """Give objects a colour of their own (``"#rrggbb"``), or the layer's back (empty)."""
    text = f"Recolour {named(labels)}" if colour else f"Give {named(labels)} the layer's colour"
    _change(objects, labels, "recolour", text, color=colour)


def delete(objects: LabelObjects, labels: Sequence[int]) -> None:
    """Erase objects, in all their planes.

    Raises
    ------
    InvalidInput
        One is locked or not there.
    """
    _check(objects, labels)
    with objects.step("delete", f"Delete {named(labels)}", labels=labels) as step:
        for label in labels:
            for piece in _planes(objects, label):
                step.paint(piece.plane, piece.box, piece.inside, 0)


def merge(objects: LabelObjects, labels: Sequence[int]) -> int:
    """Give the pixels of objects to the first of them, in all their planes.

    Parameters
    ----------
    objects : LabelObjects
        Theirs.
    labels : sequence of int
        At least two; the first keeps its phrase, score, status and note.

    Returns
    -------
    int
        The label that stays.

    Raises
    ------
    InvalidInput
        One is locked or not there, or they were found in planes of different axes.
    """
    if len(set(labels)) < 2:
        raise InvalidInput("Choose two objects or more to merge.")
    entries = _check(objects, labels)
    if len({entry.axes for entry in entries}) > 1:
        raise InvalidInput(
            f"{named(labels)} cannot be merged: they were found in planes along different axes."
        )
    target, *others = labels
    text = f"Merge {named(others)} into {target}"
    with objects.step("merge", text, labels=labels) as step:
        for label in others:
            for piece in _planes(objects, label):
                step.paint(piece.plane, piece.box, piece.inside, target)
    return target


def split(objects: LabelObjects, label: int) -> list[int]:
    """Give each connected part of an object a label; the largest keeps that of the object.

    Returns
    -------
    list of int
        The labels of all parts, the largest first.

    Raises
    ------
    InvalidInput
        It is locked or not there, or has one part only.
    """
    (entry,) = _check(objects, [label])
    pixels = {piece.plane: (piece.box, piece.inside) for piece in _planes(objects, label)}
    parts = connected_parts(pixels, entry.stack_axis)
    if len(parts) < 2:
        raise InvalidInput(f"Object {label} has one connected part only.")
    new = list(objects.reserve(len(parts) - 1))
    labels = [label, *new]
    text = f"Split {label} into {len(parts)} parts"
    with objects.step("split", text, labels=labels) as step:
        for part, number in zip(parts[1:], new, strict=True):
            for piece in part:
                step.paint(piece.plane, piece.box, piece.inside, number)
            step.add(_part_of(entry, part, number))
    return labels


def adopt(objects: LabelObjects) -> list[int]:
    """Give rows to labels of the plane in view that have none: painted, or from elsewhere.

    Returns
    -------
    list of int
        Their labels.

    Raises
    ------
    InvalidInput
        All have rows, or the view shows no single plane of them.
    """
    if objects.view is None:
        raise InvalidInput("Show a plane of the labels in 2-D first: its labels get rows.")
    beside = (
        at is not None and not 0 <= at < length
        for at, length in zip(objects.view, objects.labels.data.shape, strict=True)
    )
    if any(beside):  # another layer is longer
        raise InvalidInput(
            "The sliders are beyond the labels here. Move them to a plane of the labels first: its "
            "labels get rows."
        )
    objects.finish_replay()
    there = {row.label for row in objects.rows()}
    index = tuple(slice(None) if at is None else at for at in objects.view)
    labels = [n for n in np.unique(objects.labels.data[index]).tolist() if n and n not in there]
    if not labels:
        raise InvalidInput("All labels in this plane have rows.")
    with objects.step("adopt", f"Add {named(labels)} to the table", labels=labels) as step:
        for entry in entries_for(objects, labels, objects.view):
            step.add(entry)
    return labels


def rejected(objects: LabelObjects) -> list[int]:
    """Return the objects that were rejected and are not locked."""
    return [row.label for row in objects.rows() if row.status == "rejected" and not row.locked]


def named(labels: Sequence[int]) -> str:
    """Name labels in a sentence.

    Examples
    --------
    >>> named([3]), named([3, 4]), named([3, 4, 5, 6, 7])
    ('3', '3 and 4', '3, 4 and 3 more')
    """
    if len(labels) > 3:
        return f"{labels[0]}, {labels[1]} and {len(labels) - 2} more"
    *first, last = map(str, labels)
    return f"{', '.join(first)} and {last}" if first else last


def _change(
    objects: LabelObjects, labels: Sequence[int], kind: str, text: str, **fields: object
) -> None:
    _entries(objects, labels)
    with objects.step(kind, text, labels=labels) as step:
        for label in labels:
            step.change(label, **fields)


def _entries(objects: LabelObjects, labels: Sequence[int]) -> list[Entry]:
    objects.finish_replay()  # of what is on its way it is not known yet what will be there
    found = [objects.entry(label) for label in labels]
    for label, entry in zip(labels, found, strict=True):
        if entry is None:
            raise InvalidInput(f"There is no object {label}.")
    return [entry for entry in found if entry is not None]


def _check(objects: LabelObjects, labels: Sequence[int]) -> list[Entry]:
    """Return the entries of objects whose pixels may change."""
    locked = [label for label in labels if objects.locked(label)]
    if locked:
        what = (
            "is locked. Unlock it first." if len(locked) == 1 else "are locked. Unlock them first."
        )
        raise InvalidInput(f"Object{'s' * (len(locked) > 1)} {named(locked)} {what}")
    return _entries(objects, labels)


def _planes(objects: LabelObjects, label: int) -> list[Piece]:
    """Read the pixels of an object, plane by plane."""
    entry = objects.entry(label)
    found = []
    for plane in [] if entry is None else entry.planes:
        pixels = objects.pixels_of(label, plane)
        if pixels is not None:
            found.append(Piece(plane, *pixels))
    return found


def _part_of(entry: Entry, part: list[Piece], label: int) -> Entry:
    """Describe a part of an object as an object of its own: what the model said stays true."""
    spots: dict[tuple[int | None, ...], Spot] = {}
    for piece in part:
        known = spots.get(piece.plane)
        if known is None:
            of_all = entry.spots[piece.plane]
            spots[piece.plane] = replace(of_all, box=piece.box, pixels=0)
        else:
            known.box = joined(known.box, piece.box)
    record = replace(
        entry.record,
        label=label,
        status="proposed",
        note="",
        description="",
        looked="",
        color="",
    )
    return Entry(record, spots, entry.axis)
