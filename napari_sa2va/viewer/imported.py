"""Labels of other programs and of other layers, as objects of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Image, Labels

from napari_sa2va.annotation.records import now
from napari_sa2va.annotation.table import ObjectTable
from napari_sa2va.errors import Cancelled, InvalidInput
from napari_sa2va.io.export.annotations import unknown
from napari_sa2va.io.export.from_layers import full_size
from napari_sa2va.io.export.space import layer_arguments, space_of
from napari_sa2va.viewer.geometry import LayerGeometry
from napari_sa2va.viewer.labels import METADATA, pixel_area

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.annotation.records import ObjectRecord
    from napari_sa2va.io.export import Annotations
    from napari_sa2va.io.export.annotations import Place
    from napari_sa2va.io.export.space import Space

_LARGEST_NUMBER: Final = 1_000_000
"""Above it labels are counted anew: a box is made for each number up to the largest."""
_TYPE: Final = np.dtype(np.int32)
"""With room for more objects: a byte's 255 are soon used up."""
_PREVIEW: Final = "preview"


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """Labels that are ready to become a layer.

    Attributes
    ----------
    name : str
        Of the source.
    labels : array of integers
    rows : tuple of ObjectRecord
        One for each label; areas are in pixels.
    space : Space
        Of the source.
    notes : tuple of str
        What was changed on the way.
    """

    name: str
    labels: NDArray[np.integer[Any]]
    rows: tuple[ObjectRecord, ...]
    space: Space
    notes: tuple[str, ...] = ()


def imported(
    annotations: Annotations, tell: Callable[[int, int], None], stopped: Callable[[], bool]
) -> Imported:
    """Read labels into memory, and give a row to each that has none; call it in a worker.

    Raises
    ------
    Cancelled
        It was stopped.
    InvalidInput
        There are no labels in it, or negative ones.
    """
    if np.dtype(annotations.labels.dtype).kind not in "iub":
        dtype = annotations.labels.dtype
        raise InvalidInput(f"{annotations.name} holds {dtype}: labels are whole numbers.")
    places = annotations.places
    labels = np.empty(annotations.shape, _TYPE)  # filled in place: a volume may be half the memory
    found: dict[int, list[tuple[Place, int]]] = {}
    for done, (place, plane) in enumerate(annotations.planes()):
        if stopped():
            raise Cancelled("The import was cancelled.")
        if plane.max(initial=0) > np.iinfo(labels.dtype).max:
            labels = labels.astype(np.uint64)  # seldom, and they are counted anew below
        labels[place] = plane
        for label, pixels in zip(*np.unique(plane, return_counts=True), strict=True):
            found.setdefault(int(label), []).append((place, int(pixels)))
        tell(done + 1, len(places))
    numbers = sorted(found.keys() - {0})
    if not numbers:
        raise InvalidInput(f"There are no labels in {annotations.name}: all of it is background.")
    if numbers[0] < 0:
        raise InvalidInput(f"{annotations.name} has negative numbers: labels count from 1.")
    records, notes, when = annotations.by_label(), list(annotations.notes), now()
    rows = tuple(
        _row(records.get(label) or replace(unknown(label), created=when), found[label])
        for label in numbers
    )
    if numbers[-1] > _LARGEST_NUMBER:
        there = np.array([0, *numbers], labels.dtype)
        for place in places:
            labels[place] = np.searchsorted(there, labels[place])
        rows = tuple(replace(row, label=place) for place, row in enumerate(rows, start=1))
        notes.append(
            f"Its numbers go up to {numbers[-1]:,}: the objects are counted anew, from 1 to "
            f"{len(rows):,}."
        )
    return Imported(
        annotations.name,
        labels.astype(_TYPE, copy=False),
        rows,
        annotations.space,
        tuple(notes),
    )


def _row(record: ObjectRecord, found: Sequence[tuple[Place, int]]) -> ObjectRecord:
    """Measure a record: the mean area of its planes, in pixels, and where it is."""
    places = np.array([place for place, _ in found])
    axes = [axis for axis in range(places.shape[1]) if len(set(places[:, axis])) > 1]
    along = axes[0] if axes else 0
    stacked = places.shape[1] > 0
    return replace(
        record,
        area=sum(pixels for _, pixels in found) / len(found),
        area_unit="pixel",
        frames=len(found),
        first_frame=int(places[:, along].min()) if stacked else None,
        last_frame=int(places[:, along].max()) if stacked else None,
    )


def add_imported(viewer: Any, found: Imported, images: Sequence[Image]) -> tuple[Labels, list[str]]:
    """Add imported labels as a layer; call it on the GUI thread.

    Where they have the size of the image that is looked at, they are laid on it, and become the
    layer that its results go into.

    Returns
    -------
    labels : Labels
    notes : list of str
        What became of them.
    """
    notes = list(found.notes)
    arguments = {"name": f"{found.name} · Sa2VA", **layer_arguments(found.space)}
    first = images[0] if images else None
    if first is not None and _shape(first) == tuple(found.labels.shape):
        arguments |= LayerGeometry.of(first).layer_arguments()
        arguments["metadata"] = {
            METADATA: {
                "kind": "labels",
                "image": first.name,
                "images": tuple(layer.unique_id for layer in images),
            }
        }
        _, shown, _ = first.as_layer_data_tuple()
        space = space_of(shown.get("axis_labels", ()), shown, found.labels.ndim)
        if found.space.units == space.units and not np.allclose(found.space.scale, space.scale):
            notes.append(
                f"Its pixels have another size than those of {first.name!r}, on which it lies now."
            )
        notes.append(f"Results on {first.name!r} go into this layer from now on.")
    else:
        looked = "no image is looked at" if first is None else f"{first.name!r} has another size"
        notes.append(
            f"It is a layer of its own, since {looked}. Choose the image that it belongs to under "
            "Image and model to see its objects in the table."
        )
    labels = Labels(found.labels, **arguments)
    pixel, unit = pixel_area(labels, (labels.ndim - 2, labels.ndim - 1))
    rows = [replace(row, area=row.area * pixel, area_unit=unit) for row in found.rows]
    labels.features = ObjectTable(rows).features()  # read by who hears of the layer
    viewer.add_layer(labels)
    return labels, notes


def importable_layers(viewer: Any) -> Iterator[Labels | Image]:
    """Go through the layers that hold labels: Labels, and images of whole numbers that are not RGB.

    Previews of corrections are none of them.
    """
    for layer in viewer.layers:
        if isinstance(layer, Labels):
            if layer.metadata.get(METADATA, {}).get("kind") != _PREVIEW:
                yield layer
        elif isinstance(layer, Image) and not layer.rgb and np.dtype(layer.dtype).kind in "iub":
            yield layer


def _shape(image: Image) -> tuple[int, ...]:
    shape = tuple(full_size(image.data).shape)
    return shape[:-1] if image.rgb else shape
