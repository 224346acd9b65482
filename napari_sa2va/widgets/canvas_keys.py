"""Keys of the dock that also work while the canvas has the focus."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

if TYPE_CHECKING:
    from collections.abc import Callable


class CanvasKeys:
    """Keys bound on a viewer, which is the only way: napari ignores key bindings of a manifest.

    Parameters
    ----------
    viewer : napari.Viewer
        Bound on this viewer alone, not on the class. A layer's own keys win over these.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._bound: dict[str, Callable[[Any], None]] = {}

    def bind(self, key: str, action: Callable[[], Any]) -> None:
        """Bind a key.

        Parameters
        ----------
        key : str
            In Qt's spelling; one that napari's canvas does not know works in the dock alone.
        action : bound method
            Not kept alive.
        """
        name = napari_key(key)
        call = _calling(WeakMethod(action))
        with suppress(ValueError):
            self._viewer.bind_key(name, call, overwrite=True)
            self._bound[name] = call

    def unbind(self) -> None:
        """Take the keys back; those that another dock has bound since stay."""
        for name, own in self._bound.items():
            unbound = self._viewer.bind_key(name, None)
            if unbound is not own:
                self._viewer.bind_key(name, unbound)
        self._bound = {}


def napari_key(key: str) -> str:
    """Return a key of Qt's spelling in napari's.

    Examples
    --------
    >>> napari_key("Ctrl+Shift+Return")
    'Control-Shift-Enter'
    """
    names = {"Ctrl": "Control", "Return": "Enter", "Meta": "Meta"}
    return "-".join(names.get(part, part) for part in key.split("+"))


def _calling(method: WeakMethod[Any]) -> Callable[[Any], None]:
    def act(viewer: Any) -> None:
        action = method()
        if action is not None:
            action()

    return act
