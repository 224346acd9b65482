"""All recordings of one viewer: which layers are recorded, and where the conversation belongs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary, ref

from napari.layers import Image, Labels
from psygnal import Signal

from napari_sa2va.annotation.actions import Action
from napari_sa2va.annotation.session.pixels import warm_up
from napari_sa2va.annotation.session.state import ASKED
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.recorder import Recorder
from napari_sa2va.viewer.results import results_of
from napari_sa2va.viewer.unlabelled import Unlabelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from weakref import ReferenceType

    from napari_sa2va.annotation import Conversation, Turn
    from napari_sa2va.annotation.session.folding import Folding
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.placement import Placement


class Sessions:
    """Records all layers of a viewer that hold objects.

    Nothing is recorded before somebody calls `hold`.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Its `results_of` are recorded; layers that came with a session go on with it.
    """

    folder: Path | None = None
    """Where sessions go; beside the image, else into the user's folder, if None."""
    changed = Signal()
    """A recording began, ended, or stands otherwise."""
    told = Signal(str, str)
    """A level ("info", "warning", "error") and a sentence."""
    moved = Signal(object, object)
    """What an `Unlabelled` had belongs to a `Recorder` now."""
    recalled = Signal(object)
    """A `Recorder` whose session came with a conversation."""

    def __init__(self, viewer: Any) -> None:
        self.providers: list[Callable[[], Sequence[Image]]] = []
        """Each returns the images that are looked at in a dock; a dock takes its own away again."""
        self._viewer = viewer
        self._results = results_of(viewer)
        self._recorders: dict[LabelObjects, Recorder] = {}
        self._unlabelled: list[Unlabelled] = []
        self._ending: list[Folding] = []
        self._held = 0

    def images(self) -> Sequence[Image]:
        """Return the images that are looked at in the newest dock that looks at any."""
        return next(filter(None, (provide() for provide in reversed(self.providers))), ())

    def hold(self) -> None:
        """Note one more who needs recordings to be made; with the first of them they begin."""
        self._held += 1
        if self._held > 1:
            return
        # The first action is logged sooner: importing what packs labels takes 80 ms.
        threading.Thread(target=warm_up, name="napari-sa2va session", daemon=True).start()
        for objects in self._results.all:
            self._on_made(objects)
        self._results.made.connect(self._on_made)
        self._results.removed.connect(self._on_removed)
        self._viewer.layers.events.inserted.connect(self._on_inserted)
        for layer in list(self._viewer.layers):
            self._adopt(layer)

    def release(self) -> None:
        """Note that somebody needs no recordings any more; with the last of them all end."""
        self._held -= 1
        if self._held > 0:
            return
        self._results.made.disconnect(self._on_made)
        self._results.removed.disconnect(self._on_removed)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        recorders, self._recorders = list(self._recorders.values()), {}
        for recorder in recorders:
            recorder.close()
        ending, self._ending = self._ending, []
        for folding in ending:
            folding.join()
        unlabelled, self._unlabelled = self._unlabelled, []
        for before in unlabelled:
            before.close()

    @property
    def recorders(self) -> tuple[Recorder, ...]:
        """All there are."""
        return tuple(self._recorders.values())

    def of(self, objects: LabelObjects | None) -> Recorder | None:
        """Return what records a layer's objects."""
        return None if objects is None else self._recorders.get(objects)

    def unlabelled(
        self, placement: Placement | None = None, of: Sequence[Image] = ()
    ) -> Unlabelled | None:
        """Return what records questions about images that have no labels yet.

        Parameters
        ----------
        placement : Placement, optional
            Where labels would go: one is made if there is none.
        of : sequence of Image
            Those images; the ones looked at if left out.
        """
        images = [layer for layer in of or self.images() if layer in self._viewer.layers]
        wanted = {layer.unique_id for layer in images}
        for known in self._unlabelled:
            if known.images & wanted:
                return known
        if not images or placement is None:
            return None
        made = Unlabelled(images, placement, self.folder)
        made.changed.connect(self.changed)
        made.told.connect(self.told)
        self._unlabelled.append(made)
        return made

    def tick(self) -> None:
        """Do what can wait: to be called every second or so."""
        for recorder in self.recorders:
            recorder.tick()

    def _on_made(self, objects: LabelObjects) -> None:
        if objects in self._recorders or objects.labels.multiscale:  # napari paints in no pyramid
            return
        # A layer that is just being made can be met twice: what came last follows it.
        for other in [other for other in self._recorders if other.labels is objects.labels]:
            self._recorders.pop(other).close()
        recorder = Recorder(
            self._viewer,
            objects,
            images=lambda: self.images(),
            folder=self.folder,
            earlier=lambda: self._earlier(objects.labels),
        )
        self._recorders[objects] = recorder
        recorder.changed.connect(self.changed)
        recorder.told.connect(self.told)
        recorder.start()
        if recorder.turns:
            self.recalled.emit(recorder)
        self.changed.emit()

    def _earlier(self, labels: Labels) -> Unlabelled | None:
        """Return what was recorded about a layer's image before the layer was there."""
        images = labels.metadata.get(METADATA, {}).get("images", ())
        shape = tuple(int(n) for n in labels.data.shape)
        for known in self._unlabelled:
            if known.fits(images, shape, str(labels.data.dtype)):
                self._unlabelled.remove(known)
                known.handed_over.connect(self.moved)
                return known
        return None

    def _on_removed(self, objects: LabelObjects) -> None:
        recorder = self._recorders.pop(objects, None)
        if recorder is not None:
            # Cut off by Python's end, it would look like a crash at the next start.
            folding = recorder.close(wait=False)
            self._ending = [other for other in self._ending if other.at_work]
            self._ending += [folding] if folding is not None else []
            self.changed.emit()

    def _on_inserted(self, event: Any) -> None:
        self._adopt(event.value)

    def _adopt(self, layer: Any) -> None:
        """Go on with the session that a layer came from."""
        marks = layer.metadata.get(METADATA, {})
        if not isinstance(layer, Labels) or not marks.get("restored"):
            return
        session = marks.get("session")
        if "images" not in marks:  # opened as a file: the reader knows no layers
            marks["images"] = tuple(
                image.unique_id
                for image in self._viewer.layers
                if isinstance(image, Image)
                and image.metadata.get(METADATA, {}).get("session") == session
            )
        self._results.of(layer).show()  # its captions


class Said:
    """Gives the turns of one conversation to the sessions that they belong to.

    Parameters
    ----------
    conversation : Conversation
        Of a dock.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._whose: dict[int, _Kept] = {}

    def tell(self, recorder: Recorder | Unlabelled | None) -> None:
        """Give what was said anew, and what is new, to whom it belongs.

        Parameters
        ----------
        recorder : Recorder, Unlabelled or None
            Takes the new turns, but for those about other images; None to wait until it is known
            who does.
        """
        for at, turn in enumerate(self._conversation.turns):
            kept = self._whose.get(at)
            if kept is not None and turn != kept.turn:
                if (whose := kept.whose()) is not None:
                    whose.say(kept.place, turn)
                self._whose[at] = replace(kept, turn=turn)
            elif kept is None and recorder is not None and self._is_of(at, recorder):
                place = len(recorder.turns)
                recorder.say(place, turn)
                self._whose[at] = _Kept(ref(recorder), place, turn)

    def move(self, before: Unlabelled, recorder: Recorder) -> None:
        """Note that turns belong to a recorder now."""
        for at, kept in self._whose.items():
            if kept.whose() is before:
                self._whose[at] = replace(kept, whose=ref(recorder))

    def recall(self, recorder: Recorder) -> Iterable[Turn]:
        """Go on with the conversation of a session; return the turns to show."""
        said = dict(enumerate(recorder.turns))
        for at, kept in self._whose.items():  # a layer that was deleted and added again
            if kept.whose() is None and said.get(kept.place) == kept.turn:
                self._whose[at] = replace(kept, whose=ref(recorder))
        known = {kept.place for kept in self._whose.values() if kept.whose() is recorder}
        for place, turn in said.items():
            if place not in known:
                self._whose[len(self._conversation.turns)] = _Kept(ref(recorder), place, turn)
                self._conversation.turns.append(turn)
                yield turn

    def _is_of(self, at: int, recorder: Recorder | Unlabelled) -> bool:
        """Whether a turn may go there: not where both are known to be of other images."""
        home = self._conversation.homes.get(at)
        if home is None or not home.images or not recorder.images:
            return True
        if isinstance(recorder, Recorder) and home.objects is recorder.objects:
            return True
        return bool(home.images & recorder.images)


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """Who has a turn (nobody, once the layer is gone), where among theirs, and as what."""

    whose: ReferenceType[Recorder | Unlabelled]
    place: int
    turn: Turn


def asked(text: str, answer: str, labels: Sequence[int], detail: Mapping[str, Any]) -> Action:
    """Return what a session keeps of a question that was answered, whatever came of it."""
    return Action(ASKED, text, (), tuple(labels), {**detail, "answer": answer})


# As those of `results_of`.
_SESSIONS: WeakValueDictionary[int, Sessions] = WeakValueDictionary()


def sessions_of(viewer: Any) -> Sessions:
    """Return the recordings of a viewer: its docks share them."""
    sessions = _SESSIONS.get(id(viewer))
    if sessions is None:
        sessions = _SESSIONS[id(viewer)] = Sessions(viewer)
    return sessions
