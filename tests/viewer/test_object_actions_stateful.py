"""Whatever one does in whatever order: pixels, rows, features and the time-line agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from napari.components import ViewerModel
from numpy.testing import assert_array_equal

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer import object_actions as actions
from napari_sa2va.viewer.entries import NOWHERE, Entry, Spot
from napari_sa2va.viewer.objects import LabelObjects

if TYPE_CHECKING:
    from collections.abc import Callable

PLANES, SIDE = 3, 14
SHAPE = (PLANES, SIDE, SIDE)
# In which planes, and where: 2 and 3 in two parts, 4 in one plane only.
SQUARES = {
    1: [(0, 1, 1), (1, 1, 1), (2, 1, 1)],
    2: [(1, 1, 6), (1, 7, 6), (2, 1, 6)],
    3: [(0, 8, 1), (0, 8, 9), (1, 8, 9)],
    4: [(2, 8, 9)],
}

places = st.tuples(st.integers(0, PLANES - 1), st.integers(0, SIDE - 1), st.integers(0, SIDE - 1))
picks = st.integers(0, 20)


class Objects(RuleBasedStateMachine):
    """The real time-line beside a plain list of what was there after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.viewer = ViewerModel()
        self.labels = self.viewer.add_labels(np.zeros(SHAPE, dtype=np.int32))
        self.labels.brush_size = 3
        self.objects = LabelObjects(self.viewer, self.labels, empty=True)
        self.told: list[str] = []
        self.objects.done.connect(lambda action: self.told.append(action.kind))

    @initialize(captions=st.booleans())
    def find(self, captions: bool) -> None:
        """A run that found four objects, some in several planes."""
        self.objects.show_captions = captions  # without them it is quicker by far
        with self.objects.step("run", "Find") as step:
            for label, squares in SQUARES.items():
                planes = {(plane, None, None) for plane, _, _ in squares}
                spots = {plane: Spot(NOWHERE) for plane in sorted(planes, key=str)}
                record = ObjectRecord(
                    label, f"cell {label}", "", 0.9, 0.8, 0.0, "pixel", "demo", "now"
                )
                step.add(Entry(record, spots, axis=0))
                for plane, row, column in squares:
                    box = slice(row, row + 4), slice(column, column + 4)
                    step.paint((plane, None, None), box, np.ones((4, 4), dtype=bool), label)
        self.states = [self.state()]
        self.position = 0

    # --- what is compared ---

    def state(self) -> tuple[Any, list[ObjectRecord]]:
        """Return the pixels and the rows."""
        return np.array(self.labels.data), self.objects.rows()

    @property
    def there(self) -> list[int]:
        """The labels that have rows."""
        return [row.label for row in self.objects.rows()]

    def pick(self, number: int) -> int:
        """Choose one of the labels that have rows."""
        return self.there[number % len(self.there)]

    def act(self, do: Callable[[], object]) -> None:
        """Do something, and note what came of it; locked objects must be as before."""
        before, text = self.state(), self.objects.undo_text
        locked = [row.label for row in before[1] if row.locked]
        steps = len(self.labels._undo_history)
        self.told.clear()
        refused = False
        try:
            do()
        except InvalidInput:
            refused = True
        after = self.state()
        for label in locked:
            assert_array_equal(after[0] == label, before[0] == label)
        if refused or len(self.labels._undo_history) == steps:
            assert_array_equal(after[0], before[0])
            assert after[1] == before[1]
            assert self.objects.undo_text == text
            return
        assert len(self.labels._undo_history) == steps + 1
        assert len(self.told) == 1, self.told
        del self.states[self.position + 1 :]
        self.states.append(after)
        self.position += 1

    # --- what one does ---

    @precondition(lambda self: self.there)
    @rule(number=picks, status=st.sampled_from(["accepted", "rejected", "flagged", "proposed"]))
    def judge(self, number: int, status: str) -> None:
        self.act(lambda: actions.set_status(self.objects, [self.pick(number)], status))

    @precondition(lambda self: self.there)
    @rule(number=picks, phrase=st.sampled_from(["mitosis", "dead cell", ""]))
    def rename(self, number: int, phrase: str) -> None:
        self.act(lambda: actions.rename(self.objects, [self.pick(number)], phrase))

    @precondition(lambda self: self.there)
    @rule(number=picks, locked=st.booleans())
    def lock(self, number: int, locked: bool) -> None:
        self.act(lambda: actions.set_locked(self.objects, [self.pick(number)], locked))

    @precondition(lambda self: len(self.there) > 1)
    @rule(number=picks, other=picks)
    def merge(self, number: int, other: int) -> None:
        labels = [self.pick(number), self.pick(other)]
        self.act(lambda: actions.merge(self.objects, labels))

    @precondition(lambda self: self.there)
    @rule(number=picks)
    def split(self, number: int) -> None:
        self.act(lambda: actions.split(self.objects, self.pick(number)))

    @precondition(lambda self: self.there)
    @rule(number=picks)
    def delete(self, number: int) -> None:
        self.act(lambda: actions.delete(self.objects, [self.pick(number)]))

    @rule()
    def adopt(self) -> None:
        self.act(lambda: actions.adopt(self.objects))

    @precondition(lambda self: self.there)
    @rule(number=picks)
    def undo_object(self, number: int) -> None:
        self.act(lambda: self.objects.undo_object(self.pick(number)))

    @rule(places=st.lists(places, min_size=1, max_size=3), number=picks)
    def stroke(self, places: list[tuple[int, int, int]], number: int) -> None:
        """napari's brush and eraser, and now and then a label that is nobody's."""
        label = [0, 77, *self.there][number % (len(self.there) + 2)]

        def paint() -> None:
            self.labels._begin_stroke()  # as when the mouse button goes down
            for plane, row, column in places:
                self.labels.paint((plane, row, column), label)
            self.labels._commit_stroke()

        self.act(paint)

    @rule(place=places, number=picks)
    def fill(self, place: tuple[int, int, int], number: int) -> None:
        label = [0, *self.there][number % (len(self.there) + 1)]
        self.act(lambda: self.labels.fill(place, label))

    @rule(by_napari=st.booleans())
    def undo(self, by_napari: bool) -> None:
        if by_napari and self.position:
            self.labels.undo()
        else:
            there = self.position > 0
            if there:
                assert self.objects.undo()
        if self.position:
            self.position -= 1

    @rule(by_napari=st.booleans())
    def redo(self, by_napari: bool) -> None:
        there = self.position + 1 < len(self.states)
        if by_napari:
            self.labels.redo()
        else:
            assert self.objects.redo() == there
        self.position += int(there)

    @rule(plane=st.integers(0, PLANES - 1))
    def look(self, plane: int) -> None:
        self.viewer.dims.set_current_step(0, plane)

    # --- what must hold ---

    @invariant()
    def the_time_line_holds(self) -> None:
        if not hasattr(self, "states"):
            return
        pixels, rows = self.states[self.position]
        assert_array_equal(self.labels.data, pixels)
        assert self.objects.rows() == rows

    @invariant()
    def rows_are_what_has_pixels(self) -> None:
        pixels = np.array(self.labels.data)
        for row in self.objects.rows():
            planes = np.flatnonzero((pixels == row.label).any(axis=(1, 2))).tolist()
            assert planes, row
            assert row.frames == len(planes)
            assert (row.first_frame, row.last_frame) == (planes[0], planes[-1])
            assert row.area == np.count_nonzero(pixels == row.label) / len(planes)
            entry = self.objects.entry(row.label)
            assert entry is not None and [plane[0] for plane in entry.planes] == planes
            place = tuple(round(at) for at in entry.point_in(entry.planes[-1]))
            assert pixels[place] == row.label

    @invariant()
    def features_are_the_rows(self) -> None:
        features = self.labels.features
        rows = {row.label: row for row in self.objects.rows()}
        if not rows and "phrase" not in features:
            return
        assert features["index"].tolist() == list(range(len(features)))
        named = features["phrase"].notna().to_numpy().nonzero()[0].tolist()
        assert [label for label in named if label] == sorted(rows)
        for label, row in rows.items():
            assert features["phrase"][label] == row.phrase
            assert features["area"][label] == row.area

    @invariant()
    def captions_are_of_objects_in_view(self) -> None:
        pixels = np.array(self.labels.data)[self.viewer.dims.current_step[0]]
        wanted = [row.label for row in self.objects.rows() if (pixels == row.label).any()]
        if not self.objects.show_captions:
            wanted = []
        layer = self.objects.captions.layer
        shown = [] if layer is None else layer.features["label"].tolist()
        assert shown == wanted


Objects.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestObjects = Objects.TestCase
