"""Which Labels layers of a viewer hold results, and whose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from psygnal import Signal

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.labels import check_target, create_labels, own_labels
from napari_sa2va.viewer.objects import LabelObjects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image, Labels

    from napari_sa2va.viewer.placement import Placement


class Results:
    """The objects of all Labels layers of one viewer that results went into.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Watched for layers that go.
    """

    made = Signal(object)
    """A `LabelObjects` that is watched from now on."""
    removed = Signal(object)
    """A `LabelObjects` whose layer was deleted."""
    refused = Signal(str)
    """A sentence: what the user did by hand in one of the layers was taken back."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._of: dict[Labels, LabelObjects] = {}
        viewer.layers.events.removed.connect(self._on_removed)

    def of(self, labels: Labels) -> LabelObjects:
        """Return the objects of a layer, watched from now on."""
        if labels not in self._of:
            self._watch(LabelObjects(self._viewer, labels))
        return self._of[labels]

    @property
    def all(self) -> tuple[LabelObjects, ...]:
        """The objects of all layers that are watched."""
        return tuple(self._of.values())

    def existing(
        self, images: Sequence[Image], placement: Placement, target: Labels | None = None
    ) -> LabelObjects | None:
        """Return where results will go, if that layer is there already.

        Parameters
        ----------
        images : sequence of Image
            What is looked at.
        placement : Placement
            Of the frame.
        target : Labels, optional
            The layer that the user chose; the image's own if left out.

        Raises
        ------
        InvalidInput
            The layer cannot be written to, is of another size, or was deleted.
        """
        if target is not None and target not in self._viewer.layers:
            raise InvalidInput(f"{target.name!r} was deleted. Choose another layer for the result.")
        labels = target or own_labels(self._viewer, images, placement.labels_shape)
        if labels is None:
            return None
        check_target(labels, placement)
        return self.of(labels)

    def prepared(
        self, images: Sequence[Image], placement: Placement, target: Labels | None = None
    ) -> LabelObjects:
        """Return where results go; the image's own layer is made if need be.

        Raises
        ------
        InvalidInput
            The layer cannot be written to, is of another size, or was deleted.
        CannotWrite
            It must be made on disk, and cannot.
        """
        objects = self.existing(images, placement, target)
        if objects is None:
            labels = create_labels(self._viewer, images, placement)
            # Who heard of the new layer may have asked for its objects already.
            known = self._of.get(labels)
            objects = known or self._watch(LabelObjects(self._viewer, labels, empty=True))
        return objects

    def _watch(self, objects: LabelObjects) -> LabelObjects:
        self._of[objects.labels] = objects
        objects.refused.connect(self._on_refused)
        self.made.emit(objects)
        return objects

    def _on_refused(self, sentence: str) -> None:
        self.refused.emit(sentence)

    def _on_removed(self, event: Any) -> None:
        objects = self._of.pop(event.value, None)
        if objects is not None:
            objects.close()
            self.removed.emit(objects)


# Held by the docks: an entry goes with the last of them. A viewer whose `Results` is there cannot
# have gone, so its id belongs to no other.
_RESULTS: WeakValueDictionary[int, Results] = WeakValueDictionary()


def results_of(viewer: Any) -> Results:
    """Return the results of a viewer: its docks share them."""
    results = _RESULTS.get(id(viewer))
    if results is None:
        results = _RESULTS[id(viewer)] = Results(viewer)
    return results
