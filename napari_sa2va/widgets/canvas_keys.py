"""Keys of the dock that also work while the canvas has the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class CanvasKeys:
    """Keys bound on a viewer, which is the only way: napari ignores key bindings of a manifest.

    Parameters
    ----------
    viewer : napari.Viewer
        Bound on this viewer alone, not on the class. A layer's own keys win over these.
    actions : mapping of str to bound method
        By key, in Qt's spelling. The methods are not kept alive.
    """

    def __init__(self, viewer: Any, actions: Mapping[str, Callable[[], Any]]) -> None:
        self._viewer = viewer
        self._bound = {}
        for key, action in actions.items():
            name = napari_key(key)
            self._bound[name] = _calling(WeakMethod(action))
            viewer.bind_key(name, self._bound[name], overwrite=True)

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
