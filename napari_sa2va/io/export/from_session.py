"""A recorded session as `Annotations`."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.annotation.session import SessionDamaged, load, read_entries
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.export.annotations import Annotations
from napari_sa2va.io.export.image_files import pictures_of
from napari_sa2va.io.export.provenance import from_details
from napari_sa2va.io.export.space import space_of
from napari_sa2va.io.session_labels import copied_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sa2va.annotation.session import SessionState

_MOST_IN_MEMORY: Final = 1 << 30


@contextmanager
def session_annotations(path: Path) -> Iterator[Annotations]:
    """Read a session; large labels lie on the disk for as long as the block runs.

    Of a damaged session what can be restored is taken, and the damage is among the notes.

    Raises
    ------
    InvalidInput
        If nothing of it can be read, or there is no room for a copy of large labels.
    """
    notes: list[str] = []
    try:
        state = load(path)
    except SessionDamaged as error:
        if error.saved is None:
            raise InvalidInput(str(error)) from error
        notes.append(str(error))
        state = error.saved
    folder = tempfile.mkdtemp(prefix="napari-sa2va-") if state.nbytes > _MOST_IN_MEMORY else None
    try:
        yield _annotations(state, _labels(state, folder, notes), notes)
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _labels(state: SessionState, folder: str | None, notes: list[str]) -> Any:
    try:
        return _read(state, folder, "labels.zarr")
    except SessionDamaged as error:
        if error.saved is None:
            raise InvalidInput(str(error)) from error
        notes.append(str(error))
        return _read(error.saved, folder, "rebuilt.zarr")


def _read(state: SessionState, folder: str | None, name: str) -> Any:
    return state.labels() if folder is None else copied_labels(state, Path(folder) / name)


def _annotations(state: SessionState, labels: Any, notes: list[str]) -> Annotations:
    about = state.about
    names = about.labels.shown.get("axis_labels", ())
    pictures, lost = pictures_of(about.images, state.path, tuple(labels.shape))
    name = about.images[0].name if about.images else about.labels.name
    entries = read_entries(state.path)
    image_files = (image.found_from(state.path) for image in about.images)
    return Annotations(
        name=name,
        labels=labels,
        space=space_of(names, about.labels.shown, labels.ndim),
        records=state.records,
        turns=state.turns,
        provenance=from_details(
            (entry.detail for entry in entries),
            plugin=state.plugin,
            created=state.created,
            session=state.path.name,
        ),
        pictures=pictures,
        notes=(*notes, *lost),
        image_files=tuple(path for path in image_files if path is not None),
    )
