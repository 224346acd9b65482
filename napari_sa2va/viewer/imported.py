"""Labels of other programs and of other layers, as objects of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Image, Labels

from napari_sa2va.annotation.records import now
from napari_sa2va.annotation.table import ObjectTable
from napari_sa2va.errors import Cancelled, InvalidInput
from napari_sa2va.io.export.annotations import smallest_type, unknown
from napari_sa2va.io.export.from_layers import full_size
from napari_sa2va.io.export.space import layer_arguments, space_of
from napari_sa2va.viewer.geometry import LayerGeometry
from napari_sa2va.viewer.labels import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_sa2va.io.export import Annotations
    from napari_sa2va.io.export.from_layers import LayerData
    from napari_sa2va.io.export.space import Space

_LARGEST_NUMBER: Final = 1_000_000
"""Above it labels are counted anew: a box is made for each number up to the largest."""
_SMALLEST_TYPE: Final = np.dtype(np.int32)
_PREVIEW: Final = "preview"


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """Labels that are ready to become a layer.

    Attributes
    ----------
    layer : (data, arguments, kind)
        Its features have a row for each label.
    objects : int
        How many.
    space : Space
        Of its source.
    notes : tuple of str
        What was changed on the way.
    """

    layer: LayerData
    objects: int
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
    places = annotations.places
    planes = []
    for done, (_, plane) in enumerate(annotations.planes()):
        if stopped():
            raise Cancelled("The import was cancelled.")
        planes.append(plane)
        tell(done + 1, len(places))
    labels = np.stack(planes).reshape(annotations.shape)
    if labels.dtype.kind not in "iub":
        raise InvalidInput(f"{annotations.name} holds {labels.dtype}: labels are whole numbers.")
    if labels.size and labels.min() < 0:
        raise InvalidInput(f"{annotations.name} has negative numbers: labels count from 1.")
    numbers = np.unique(labels)
    numbers = numbers[numbers > 0]
    if not numbers.size:
        raise InvalidInput(f"There are no labels in {annotations.name}: all of it is background.")
    records, notes = annotations.by_label(), list(annotations.notes)
    if int(numbers[-1]) > _LARGEST_NUMBER:
        labels = np.where(labels > 0, np.searchsorted(numbers, labels) + 1, 0)
        new = {int(old): place for place, old in enumerate(numbers.tolist(), start=1)}
        records = {
            new[old]: replace(record, label=new[old])
            for old, record in records.items()
            if old in new
        }
        notes.append(
            f"Its numbers go up to {int(numbers[-1]):,}: the objects are counted anew, from 1 to "
            f"{len(numbers):,}."
        )
        numbers = np.arange(1, len(numbers) + 1)
    # Room for more objects: a byte's 255 are soon used up.
    dtype = np.promote_types(smallest_type(int(numbers[-1])), _SMALLEST_TYPE)
    when = now()
    rows = [
        records.get(label) or replace(unknown(label), created=when) for label in numbers.tolist()
    ]
    space = annotations.space
    meta = {
        "name": annotations.name,
        "features": ObjectTable(rows).features(),
        **layer_arguments(space),
    }
    data = labels.astype(dtype, copy=False)
    return Imported((data, meta, "labels"), len(rows), space, tuple(notes))


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
    data, meta, _ = found.layer
    arguments, notes = dict(meta, name=f"{meta['name']} · Sa2VA"), list(found.notes)
    first = images[0] if images else None
    if first is not None and _shape(first) == tuple(data.shape):
        arguments |= LayerGeometry.of(first).layer_arguments()
        arguments["metadata"] = {
            METADATA: {
                "kind": "labels",
                "image": first.name,
                "images": tuple(layer.unique_id for layer in images),
            }
        }
        _, shown, _ = first.as_layer_data_tuple()
        space = space_of(shown.get("axis_labels", ()), shown, data.ndim)
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
    labels = Labels(data, **arguments)
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
