"""A small session with a bit of everything, and what it should be like afterwards."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.annotation import ObjectRecord, Turn
from napari_sa2va.annotation.session import (
    About,
    CannotRecord,
    ImageInfo,
    LabelsInfo,
    Session,
    create_session,
)
from napari_sa2va.annotation.session.pixels import pack_boxes

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (4, 60, 50)


def record(label: int, **changes: Any) -> ObjectRecord:
    made = ObjectRecord(
        label, f"cell {label}", "Sure, it is [SEG].", 0.5, float("nan"), 12.0, "µm²", "demo", "now"
    )
    return replace(made, **changes)


@dataclass
class Live:
    """What the window would show, written down as it changes."""

    session: Session
    array: np.ndarray = field(default_factory=lambda: np.zeros(SHAPE, np.int32))
    records: dict[int, ObjectRecord] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)

    def paint(self, label: int, *where: slice) -> None:
        self.array[where] = label
        self.records[label] = record(label, area=float((self.array == label).sum()))
        self.session.append(
            "paint",
            f"Paint {label}",
            labels=(label,),
            boxes=tuple(pack_boxes(self.array, [where])),
            rows={label: self.records[label]},
        )

    def note(self, label: int, **changes: Any) -> None:
        self.records[label] = replace(self.records[label], **changes)
        self.session.append("note", rows={label: self.records[label]})

    def delete(self, label: int) -> None:
        places = np.nonzero(self.array == label)
        where = tuple(slice(int(at.min()), int(at.max()) + 1) for at in places)
        self.array[self.array == label] = 0
        del self.records[label]
        boxes = tuple(pack_boxes(self.array, [where]))
        self.session.append("delete", boxes=boxes, rows={label: None})

    def say(self, at: int, *turns: Turn) -> None:
        self.turns[at:] = turns
        self.session.append("asked", turns=(at, turns), detail={"model": "demo", "score": np.nan})

    def replace_array(self, array: np.ndarray) -> None:
        self.array = array.copy()
        labels = LabelsInfo("cells", array.shape, str(array.dtype))
        self.session.append(
            "replaced",
            boxes=tuple(pack_boxes(array, [tuple(slice(0, n) for n in array.shape)])),
            detail={"labels": asdict(labels)},
        )

    def kill(self) -> None:
        """Let go of the files as the system does for a process that is killed."""
        self.session._writer.close()
        self.session._lock._file.close()

    def work(self) -> None:
        """Do a bit of everything."""
        self.paint(1, slice(0, 1), slice(3, 20), slice(5, 9))
        self.say(0, Turn("you", "the red cell"), Turn("demo", "Sure, ■ 1.", (1,)))
        self.paint(2, slice(1, 4), slice(10, 60), slice(40, 50))
        self.note(2, note="zwei Kerne — 分裂", status="accepted", locked=True)
        self.paint(3, slice(2, 3), slice(0, 30), slice(0, 45))
        self.say(2, Turn("you", "Wo?"))
        self.delete(1)
        self.say(2, Turn("you", "Where?"), Turn("demo", "There."))
        self.note(3, flagged=(2, 3), frames=2, first_frame=2, last_frame=3, color="#ff8800")


def check(live: Live, state: Any) -> None:
    assert list(state.records) == [live.records[label] for label in sorted(live.records)] or repr(
        list(state.records)
    ) == repr([live.records[label] for label in sorted(live.records)])
    assert list(state.turns) == live.turns
    labels = state.labels()
    assert labels.dtype == live.array.dtype
    np.testing.assert_array_equal(labels, live.array)


@pytest.fixture
def about() -> About:
    image = ImageInfo("cells", shape=SHAPE, dtype="uint16", shown={"contrast_limits": [0.0, 9.0]})
    return About((image,), LabelsInfo("cells · Sa2VA", SHAPE, "int32", {"scale": [1.0, 0.5, 0.5]}))


@pytest.fixture
def live(tmp_path: Path, about: About) -> Any:
    made = Live(create_session(tmp_path, "cells", about))
    yield made
    with suppress(CannotRecord):  # a test may have damaged it
        made.session.close()


@pytest.fixture
def checked() -> Any:
    return check
