"""Layers of napari, as a writer is given them, as `Annotations`. Imports no napari."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from napari_sa2va.annotation.session import SessionDamaged, is_session, read_entries
from napari_sa2va.annotation.session.files import read_head
from napari_sa2va.annotation.session.state import Rows
from napari_sa2va.annotation.table import records_in
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.export.annotations import Annotations
from napari_sa2va.io.export.image_files import channel_of
from napari_sa2va.io.export.pictures import Pictures
from napari_sa2va.io.export.provenance import Provenance, UsedModel, from_details, source_of
from napari_sa2va.io.export.space import space_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sa2va.annotation.conversation import Turn

LayerData: TypeAlias = tuple[Any, dict[str, Any], str]

_METADATA: Final = "napari_sa2va"  # as `viewer.labels.METADATA`, which knows napari


def layer_annotations(layers: Sequence[LayerData], *, history: bool = True) -> Annotations:
    """Take the Labels layer of some layers, and the images that have its size.

    Parameters
    ----------
    layers : sequence of (data, arguments, kind)
        As `Layer.as_layer_data_tuple` gives them.
    history : bool
        Whether conversation and settings are read from the session that the layer is recorded in.

    Raises
    ------
    InvalidInput
        If there is not exactly one Labels layer.
    """
    labels = [layer for layer in layers if layer[2] == "labels"]
    if len(labels) != 1:
        raise InvalidInput("Choose one Labels layer, and perhaps the images that it belongs to.")
    data, meta, _ = labels[0]
    array = full_size(data)
    features = meta.get("features")
    records = () if features is None or not len(features) else tuple(records_in(features))
    turns, provenance = _history(meta.get("metadata", {}) if history else {}, records)
    pictures, lost = _pictures(layers, tuple(array.shape))
    return Annotations(
        name=str(meta.get("name") or "labels").removesuffix(" · Sa2VA"),
        labels=array,
        space=space_of(meta.get("axis_labels", ()), meta, array.ndim),
        records=records,
        turns=turns,
        provenance=provenance,
        pictures=pictures,
        notes=lost,
    )


def full_size(data: Any) -> Any:
    """Return the largest array of a multiscale layer, else the array itself."""
    is_levels = isinstance(data, list | tuple) or type(data).__name__ == "MultiScaleData"
    return data[0] if is_levels else data


def _pictures(
    layers: Sequence[LayerData], shape: tuple[int, ...]
) -> tuple[Pictures | None, tuple[str, ...]]:
    found = [
        (full_size(data), meta, bool(meta.get("rgb")))
        for data, meta, kind in layers
        if kind == "image"
    ]
    if not found:
        return None, ()
    pictures = Pictures(
        tuple(str(meta.get("name", "image")) for _, meta, _ in found),
        tuple(array for array, _, _ in found),
        tuple(channel_of(meta, array, rgb) for array, meta, rgb in found),
        tuple(rgb for *_, rgb in found),
    )
    if not pictures.fits(shape):
        return None, ("The images are not used: they have another size than the labels.",)
    return pictures, ()


def _history(
    metadata: Mapping[str, Any], records: Sequence[Any]
) -> tuple[tuple[Turn, ...], Provenance]:
    """Read conversation and settings from the session that the layer is recorded in."""
    marks = metadata.get(_METADATA, {})
    session = marks.get("session") if isinstance(marks, dict) else None
    if session and is_session(Path(session)):
        try:
            entries = list(read_entries(Path(session)))
        except OSError:  # what the layer itself says is enough to export it
            entries = []
        if entries:
            rows = Rows()
            for entry in entries:
                rows.follow(entry)
            details = (entry.detail for entry in entries)
            return tuple(rows.turns), _provenance(details, Path(session))
    models = dict.fromkeys(record.model for record in records if record.model)
    return (), Provenance(tuple(UsedModel(name) for name in models))


def _provenance(details: Iterable[Mapping[str, Any]], session: Path) -> Provenance:
    try:
        created = read_head(session).created
    except SessionDamaged:
        created = ""
    found = from_details(details, created=created, session=session.name)
    return replace(found, source=source_of(session))


def plain_annotations(name: str, labels: Any, leading: Sequence[str] = ()) -> Annotations:
    """Return annotations of a label array of which nothing else is known.

    Parameters
    ----------
    name : str
    labels : array-like of integers
    leading : sequence of str, optional
        Names of the axes before rows and columns.
    """
    array = labels if hasattr(labels, "shape") else np.asarray(labels)
    names = (*leading, "y", "x")
    return Annotations(name, array, space_of(names, {}, array.ndim))
