"""A session as a user might have it, drawn by lot; as a script, one that waits to be killed.

``python session_script.py FOLDER SEED`` says "ready", and then the number of each action that is
completed, until it is killed. ``python session_script.py --serve SEED`` begins such a process for
each folder that it reads, says its number, and later that it has ended.
"""

from __future__ import annotations

import os
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import ViewerModel

from napari_sa2va.annotation import Conversation
from napari_sa2va.annotation.masks import SoftMask, resize_bilinear
from napari_sa2va.annotation.session import folder, load
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer import object_actions, recorder
from napari_sa2va.viewer.run import LabelRun
from napari_sa2va.viewer.sessions import Said, Sessions
from napari_sa2va.viewer.source import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sa2va.annotation import ObjectRecord, Turn

SIDE = 96


class Script:
    """An image or a stack, and things that happen to its labels."""

    def __init__(self, path: Path, seed: int, shape: tuple[int, ...] = (3, SIDE, SIDE)) -> None:
        self.rng = np.random.default_rng(seed)
        self.viewer = ViewerModel()
        self.image = self.viewer.add_image(
            np.zeros(shape, np.uint8), name="cells", scale=(0.5,) * len(shape)
        )
        self.sessions = Sessions(self.viewer)
        self.sessions.folder = path
        self.sessions.hold()
        self.closed = False
        self.said = Said(conversation := Conversation())
        self.conversation = conversation
        self.placement = snapshot(self.viewer, [self.image]).placement
        self.objects = self.sessions._results.prepared([self.image], self.placement)
        (self.recorder,) = self.sessions.recorders
        self.recorder.about_to_write.connect(lambda: self.said.tell(self.recorder))

    def close(self) -> None:
        """End recording, once."""
        if not self.closed:
            self.closed = True
            self.sessions.release()

    @property
    def path(self) -> Path:
        assert self.recorder.session is not None
        return self.recorder.session.path

    def act(self) -> str:
        """Do something; return what."""
        kinds = ["run", "run", "paint", "paint", "fill", "erase", "undo", "redo", "judge", "rename"]
        kind = str(self.rng.choice([*kinds, "delete", "merge", "split", "lock", "note"]))
        try:
            getattr(self, f"_{kind}")()
        except InvalidInput as error:  # locked, one part only, and so on
            kind = f"{kind}: {error}"
        self.said.tell(self.recorder)
        self.recorder.tick()
        return kind

    def digest(self) -> str:
        """Return what should come back."""
        array = np.asarray(self.objects.labels.data)
        return digest(array, self.objects.rows(), self.conversation.turns)

    # --- actions

    def _run(self) -> None:
        plane = int(self.rng.integers(self.image.data.shape[0]))
        self.viewer.dims.set_current_step(0, plane)
        placement = snapshot(self.viewer, [self.image]).placement
        replaces, splits = self.rng.random(2) < 0.4
        run = LabelRun(
            self.objects, placement, replace=bool(replaces), split=bool(splits), model="demo"
        )
        self.conversation.say("you", f"cell {self.rng.integers(100)}")
        for _ in range(self.rng.integers(1, 3)):
            run.add(self._soft(), f"cell {self.rng.integers(5)}", 0.9)
        self.conversation.say("demo", f"Sure, ■ {run.labels}.", run.labels)
        run.commit({"seed": int(self.rng.integers(9))})
        run.close()

    def _soft(self) -> SoftMask:
        rows, columns = np.mgrid[:32, :32] + 0.5
        (row, column), radius = self.rng.random(2) * 32, self.rng.uniform(2, 6)
        logits = (radius - np.hypot(rows - row, columns - column)).astype(np.float32)
        return SoftMask.from_model(logits, resize_bilinear(logits, (SIDE, SIDE)) > 0)

    def _paint(self) -> None:
        labels = self.objects.labels
        plane, row, column = (int(self.rng.integers(n)) for n in labels.data.shape)
        labels.brush_size = int(self.rng.integers(1, 12))
        label = self._label()
        with labels.block_history():  # a stroke: one item of the history
            for step in range(4):
                labels.paint((plane, min(row + 3 * step, SIDE - 1), column), label)

    def _fill(self) -> None:
        labels = self.objects.labels
        place = tuple(int(self.rng.integers(n)) for n in labels.data.shape)
        labels.fill(place, self._label())

    def _erase(self) -> None:
        labels = self.objects.labels
        labels.paint(tuple(int(self.rng.integers(n)) for n in labels.data.shape), 0)

    def _label(self) -> int:
        rows = self.objects.rows()
        return int(self.rng.integers(1, 12)) if not rows else int(self.rng.choice(rows).label)

    def _undo(self) -> None:
        self.objects.undo()

    def _redo(self) -> None:
        self.objects.redo()

    def _some(self, most: int) -> list[int]:
        known = [row.label for row in self.objects.rows()]
        if len(known) < most:
            raise InvalidInput("too few")
        return [int(label) for label in self.rng.choice(known, most, replace=False)]

    def _judge(self) -> None:
        status = str(self.rng.choice(["accepted", "rejected", "flagged"]))
        object_actions.set_status(self.objects, self._some(1), status)

    def _rename(self) -> None:
        object_actions.rename(self.objects, self._some(1), f"cell no. {self.rng.integers(99)}")

    def _note(self) -> None:
        object_actions.set_note(self.objects, self._some(1), f"note {self.rng.integers(99)}")

    def _lock(self) -> None:
        object_actions.set_locked(self.objects, self._some(1), bool(self.rng.random() < 0.5))

    def _delete(self) -> None:
        object_actions.delete(self.objects, self._some(1))

    def _merge(self) -> None:
        object_actions.merge(self.objects, self._some(2))

    def _split(self) -> None:
        object_actions.split(self.objects, self._some(1)[0])


def digest(array: np.ndarray, records: Iterable[ObjectRecord], turns: Iterable[Turn]) -> str:
    """Return a text that is the same for what is the same, the time of day apart."""
    rows = "\n".join(repr(replace(record, created="")) for record in records)
    said = repr(list(turns))
    return f"{zlib.crc32(np.ascontiguousarray(array).tobytes()):08x}\n{rows}\n{said}"


def digest_of(path: Path) -> str:
    """Return what comes back from a session."""
    state = load(path)
    return digest(state.labels(), state.records, state.turns)


def impatient(patch: Any = setattr) -> None:
    """Fold and move lines to the history all the time, so that a kill meets that, too."""
    patch(folder, "LONG_LOG", 20_000)
    patch(recorder, "FOLD_SECONDS", 0.05)


def main(path: str, seed: str) -> None:
    impatient()
    script = Script(Path(path), int(seed))
    print("ready", flush=True)
    number = 0
    while True:
        script.act()
        number += 1
        print(number, flush=True)


def serve(seed: str) -> None:
    """Begin processes that have napari loaded, which takes seconds; each writes to FOLDER/said."""
    ViewerModel().add_image(np.zeros((3, 4, 4), np.uint8))
    for line in sys.stdin:
        path = line.rstrip("\n")
        child = os.fork()
        if not child:
            said = os.open(Path(path, "said"), os.O_WRONLY | os.O_CREAT)
            os.dup2(said, sys.stdout.fileno())
            main(path, seed)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    else:
        main(*sys.argv[1:])
