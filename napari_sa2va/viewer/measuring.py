"""From layers to what is measured on them: a snapshot taken at once, read in another thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Image

from napari_sa2va.annotation.measure import Tally, channel_names, channels_of, regions_in
from napari_sa2va.errors import Cancelled
from napari_sa2va.io.export.from_layers import full_size
from napari_sa2va.io.export.space import space_of
from napari_sa2va.viewer.entries import NOWHERE, indexed, is_empty, joined
from napari_sa2va.viewer.labels import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_sa2va.annotation.measure import Measured
    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.io.export.from_layers import LayerData
    from napari_sa2va.io.export.space import Space
    from napari_sa2va.viewer.objects import LabelObjects

_MOST_COPIED: Final = 256 << 20
_SPARSE: Final = 4  # times as many pixels around objects as in their boxes


@dataclass(frozen=True, slots=True, eq=False)
class MeasureJob:
    """What is to be measured: arrays as they are, and where in them the objects are.

    Attributes
    ----------
    labels : array-like
    space : Space
        Of the labels.
    channels : tuple of str
    images : tuple of array-likes
        With the axes of the labels; colour images with one more.
    rgb : tuple of bool
    boxes : dict
        By plane, in order: boxes of objects by label.
    """

    labels: Any
    space: Space
    channels: tuple[str, ...]
    images: tuple[Any, ...]
    rgb: tuple[bool, ...]
    boxes: dict[PlaneIndex, dict[int, Box]]

    @property
    def planes(self) -> int:
        """How many planes are to be read."""
        return len(self.boxes)

    @property
    def pixels(self) -> int:
        """How many numbers are to be read, of labels and images."""
        each = 1 + sum(3 if rgb else 1 for rgb in self.rgb)
        return each * sum(_area(box) for plane in self.boxes.values() for box, _ in _parts(plane))

    def run(
        self, tell: Callable[[int, int], None], stopped: Callable[[], bool]
    ) -> dict[int, Measured]:
        """Measure; call it in a worker.

        Parameters
        ----------
        tell : callable
            Called with how many planes are done, and how many there are.
        stopped : callable
            Whether to give up.

        Raises
        ------
        Cancelled
            It was stopped.
        """
        tally = Tally(self.space, self.channels)
        for done, (plane, boxes) in enumerate(self.boxes.items()):
            if stopped():
                raise Cancelled("Measuring was stopped.")
            for box, wanted in _parts(boxes):
                for region in self._regions(plane, box, wanted):
                    tally.add(plane, region)
            tell(done + 1, self.planes)
        return tally.results()

    def _regions(self, plane: PlaneIndex, box: Box, wanted: Sequence[int]) -> Iterator[Any]:
        where = indexed(plane, box)
        part: NDArray[Any] = np.asarray(self.labels[where])
        part = np.where(np.isin(part, wanted), part, 0)
        images: list[NDArray[Any]] = []
        for array, rgb in zip(self.images, self.rgb, strict=True):
            images += channels_of(np.asarray(array[where]), rgb=rgb)
        return regions_in(part, images, (box[0].start, box[1].start))


def measure_job(viewer: Any, objects: LabelObjects, labels: Sequence[int]) -> MeasureJob:
    """Take down what measuring some objects needs. Reads no pixels; call it on the GUI thread."""
    layer = objects.labels
    boxes: dict[PlaneIndex, dict[int, Box]] = {}
    for label in labels:
        entry = objects.entry(label)
        if entry is None:
            continue
        for plane in entry.planes:
            box = entry.spots[plane].box
            if not is_empty(box):
                boxes.setdefault(plane, {})[label] = box
    images = images_on(viewer, layer)
    rgb = tuple(bool(image.rgb) for image, _ in images)
    return MeasureJob(
        labels=full_size(layer.data),
        space=_space(layer),
        channels=channel_names([image.name for image, _ in images], rgb),
        images=tuple(array for _, array in images),
        rgb=rgb,
        boxes=dict(sorted(boxes.items(), key=lambda pair: [at or 0 for at in pair[0]])),
    )


def images_on(viewer: Any, labels: Labels) -> list[tuple[Image, Any]]:
    """Return the image layers that labels lie on, in the viewer's order, and their arrays.

    Those that the labels were made for, and those in view that have the same pixels at the same
    places: further channels. Of a pyramid it is the level that has the size of the labels.
    """
    own = set(labels.metadata.get(METADATA, {}).get("images", ()))
    found = []
    for layer in viewer.layers:
        if not isinstance(layer, Image):
            continue
        array = _fitting(layer, labels)
        if array is None:
            continue
        if layer.unique_id in own or (layer.visible and _meet(layer, labels)):
            found.append((layer, array))
    return found


def layers_taken(viewer: Any, labels: Labels) -> list[LayerData]:
    """Take down a Labels layer and its images, for a writer in another thread.

    Labels in memory are copied as long as they are not large, so that painting goes on meanwhile
    without showing in the file.
    """
    taken: list[LayerData] = []
    for image, array in images_on(viewer, labels):
        _, meta, kind = image.as_layer_data_tuple()
        taken.append((array, dict(meta), kind))
    data, meta, kind = labels.as_layer_data_tuple()
    array = full_size(data)
    if is_copied(labels):
        array = array.copy()
    return [*taken, (array, {**meta, "features": meta["features"].copy()}, kind)]


def is_copied(labels: Labels) -> bool:
    """Whether `layers_taken` copies the array of a layer."""
    array = full_size(labels.data)
    return isinstance(array, np.ndarray) and array.nbytes <= _MOST_COPIED


def _space(layer: Labels) -> Space:
    data, meta, _ = layer.as_layer_data_tuple()
    return space_of(meta.get("axis_labels", ()), meta, full_size(data).ndim)


def _fitting(image: Image, labels: Labels) -> Any | None:
    """Return the array of an image that has the size of the labels; None if none has."""
    wanted = tuple(full_size(labels.data).shape)
    for array in image.data if image.multiscale else (image.data,):
        shape = tuple(array.shape[:-1] if image.rgb else array.shape)
        if shape == wanted:
            return array
    return None


def _meet(image: Image, labels: Labels) -> bool:
    """Whether the first and the last pixel of both are at the same places."""
    shape = np.array(full_size(labels.data).shape)
    own = np.array(image.level_shapes[0][: len(shape)] if image.multiscale else shape)
    pixel = np.linalg.norm(labels.scale) * 0.01
    # Borders, not centres: pixels of a pyramid's levels differ in size.
    return all(
        np.allclose(
            image.data_to_world(at * own - 0.5), labels.data_to_world(at * shape - 0.5), 0, pixel
        )
        for at in (0, 1)
    )


def _parts(boxes: dict[int, Box]) -> Iterator[tuple[Box, list[int]]]:
    """Go through what to read of a plane: all in one if the boxes fill it, else one by one."""
    around = NOWHERE
    for box in boxes.values():
        around = joined(around, box)
    if _area(around) <= _SPARSE * sum(map(_area, boxes.values())):
        yield around, list(boxes)
    else:
        for label, box in boxes.items():
            yield box, [label]


def _area(box: Box) -> int:
    rows, columns = box
    return int((rows.stop - rows.start) * (columns.stop - columns.start))
