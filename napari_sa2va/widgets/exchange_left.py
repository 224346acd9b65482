"""Exports and imports whose dock was closed meanwhile: what becomes of them, and who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari.utils.notifications import show_error, show_info, show_warning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.widgets.exchange_task import Task

_LATE: Final = (
    "The objects changed while they were written, and the file may have some as they were before. "
    "Export again."
)
_GIVEN_UP: Final = "The import was given up, because the Sa2VA dock was closed. Import again."


class Changes:
    """Notices changes of objects whose pixels are read where they are.

    Parameters
    ----------
    objects : LabelObjects
    """

    def __init__(self, objects: LabelObjects) -> None:
        self._objects = objects
        self._any = False
        objects.changed.connect(self._on_changed)
        objects.replay_moved.connect(self._on_changed)  # its rows change at its end only

    def end(self) -> bool:
        """Return whether there were any, and notice none any more."""
        self._objects.changed.disconnect(self._on_changed)
        self._objects.replay_moved.disconnect(self._on_changed)
        return self._any

    def _on_changed(self) -> None:
        self._any = True


def written(path: Path, notes: Sequence[str], *, late: bool) -> str:
    """Return what is told of an export."""
    return " ".join([f"Written: {path}.", *([_LATE] if late else []), *notes])


def leave_export(task: Task, path: Path, changes: Changes | None) -> None:
    """Let a file be written to its end though its dock goes: napari says so then."""

    def done(notes: list[str]) -> None:
        late = changes is not None and changes.end()
        (show_warning if late else show_info)(written(path, notes, late=late))

    def failed(error: Exception) -> None:
        if changes is not None:
            changes.end()
        show_error(f"{path.name} was not written. {error}")

    task.leave(done, failed)


def leave_import(task: Task) -> None:
    """Give an import up, whose dock goes; napari says so."""

    def gone(_: object) -> None:
        show_warning(_GIVEN_UP)

    task.stop()
    task.leave(gone, gone)
