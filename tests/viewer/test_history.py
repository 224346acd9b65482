"""One undo step over many planes: small, exact, and known to those who watch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Labels

from napari_sa2va.viewer.edits import Edit
from napari_sa2va.viewer.history import HistoryWatch, NoUndo, add_step
from napari_sa2va.viewer.stamps import PlaneChange, Stamp, gained, pack_values, unpack_values

BOX = slice(2, 5), slice(3, 6)


def painted(labels: Labels, plane: int, label: int) -> PlaneChange:
    """Paint a corner of a box, and note it."""
    where = np.eye(3, dtype=bool)
    region = labels.data[(plane, *BOX)]
    stamp = Stamp.of(where, BOX, labels.data.shape[1:], region, label)
    region[where] = label
    return PlaneChange((plane, None, None), [stamp])


def test_values_are_kept() -> None:
    assert pack_values(np.array([4, 4, 4])) == 4
    mixed = np.array([1, 70_000, 0])
    np.testing.assert_array_equal(unpack_values(pack_values(mixed)), mixed)


def test_a_step_is_undone_and_redone_and_told() -> None:
    labels = Labels(np.zeros((6, 8, 8), dtype=np.int32))
    labels.data[1, 2, 3] = 9
    before = labels.data.copy()
    told: list[tuple[Any, ...]] = []
    watch = HistoryWatch(labels)
    changes = [painted(labels, plane, 4) for plane in (1, 3)]
    assert gained(changes[0].stamps) == {9: -1, 0: -2, 4: 3}
    after = labels.data.copy()
    add_step(labels, changes, lambda *what: told.append(what))
    assert watch.look() == []
    labels.undo()
    np.testing.assert_array_equal(labels.data, before)
    assert [what[0] for what in told] == changes[::-1]
    assert told[-1][1:] == ({4: -3, 9: 1, 0: 2}, True)
    assert [atom.change for atom in watch.look()] == changes[::-1]
    assert watch.look() == []
    labels.redo()
    np.testing.assert_array_equal(labels.data, after)
    assert told[-1][2] is False
    assert len(watch.look()) == 2


def test_pixels_of_the_user_are_left_alone() -> None:
    labels = Labels(np.zeros((6, 8, 8), dtype=np.int32))
    add_step(labels, [painted(labels, 1, 4)], lambda *_: None)
    labels.data[1, 2, 3] = 0  # as rubbed out in the run
    labels.data[1, 3, 4] = 5
    labels.undo()
    assert labels.data[1, 3, 4] == 5 and labels.data[1, 4, 5] == 0
    labels.redo()
    assert labels.data[1, 2, 3] == 0
    assert labels.data[1, 3, 4] == 5 and labels.data[1, 4, 5] == 4


def test_a_step_does_not_close_a_stroke() -> None:
    labels = Labels(np.zeros((6, 8, 8), dtype=np.int32))
    labels._begin_stroke()  # what napari does when the mouse goes down
    labels.brush_size = 1
    labels.paint((0, 1, 1), 2)
    add_step(labels, [painted(labels, 1, 4)], lambda *_: None)
    labels.paint((0, 6, 6), 2)
    labels._commit_stroke()
    labels.undo()
    assert not labels.data[0].any() and labels.data[1].any()
    labels.undo()
    assert not labels.data.any()


def test_an_atom_can_be_read_as_an_edit() -> None:
    labels = Labels(np.zeros((6, 8, 8), dtype=np.int32))
    seen: list[Any] = []
    labels.events.paint.connect(lambda event: seen.extend(event.value))
    add_step(labels, [painted(labels, 1, 4)], lambda *_: None)
    edit = Edit.of(seen[0])
    assert edit.where == (slice(1, 2), *BOX)
    assert edit.labels == (0, 4)
    assert edit.is_in(labels.data)
    assert list(edit.planes((1, 2))) == [(1, None, None)]


def test_another_napari_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = Labels(np.zeros((6, 8, 8), dtype=np.int32))
    change = painted(labels, 1, 4)
    monkeypatch.delattr(Labels, "_append_to_undo_history")
    with pytest.raises(NoUndo, match="version of napari"):
        add_step(labels, [change], lambda *_: None)
    assert labels.data.any()
    del labels._undo_history
    assert HistoryWatch(labels).look() is None


def test_two_thousand_planes_take_little_memory() -> None:
    where = np.hypot(*np.mgrid[-30:30, -30:30]) < 29
    under = np.zeros((60, 60), dtype=np.int32)
    size = 0
    for _ in range(3):
        stamp = Stamp.of(where, (slice(100, 160), slice(5, 65)), (512, 512), under, 1)
        size += stamp.pixels.nbytes + (0 if isinstance(stamp.before, int) else len(stamp.before))
    assert 2000 * size < 3e6  # and some 1 kB a plane of Python's own
