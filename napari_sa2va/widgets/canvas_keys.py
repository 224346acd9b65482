"""Keys of the dock that also work while the canvas has the focus."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod, WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    _Call = Callable[[Any], None]


class CanvasKeys:
    """Keys bound on a viewer, which is the only way: napari ignores key bindings of a manifest.

    Where several docks of a viewer bind a key, the last of them has it; the one before gets it
    back.

    Parameters
    ----------
    viewer : napari.Viewer
        Bound on this viewer alone, not on the class. A layer's own keys win over these.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._bound: list[tuple[str, _Call]] = []
        self._shared = _SHARED.setdefault(id(viewer), _Shared())

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
        method = WeakMethod(action)
        call = _calling(method)
        with suppress(ValueError):
            self._viewer.bind_key(name, call, overwrite=True)
            self._bound.append((name, call))
            self._shared.calls.setdefault(name, []).append((method, call))

    def unbind(self) -> None:
        """Take the keys back; those that another dock has bound since stay."""
        for name, own in self._bound:
            others = [
                (method, call)
                for method, call in self._shared.calls.pop(name, [])
                if call is not own and method() is not None
            ]
            if others:
                self._shared.calls[name] = others
            there = self._viewer.bind_key(name, None)
            if there is own:
                there = others[-1][1] if others else None
            if there is not None:
                self._viewer.bind_key(name, there)
        self._bound = []


class _Shared:
    """What the docks of one viewer have bound, by key; the last one has it."""

    def __init__(self) -> None:
        self.calls: dict[str, list[tuple[WeakMethod[Any], _Call]]] = {}


# As those of `results_of`: held by the docks.
_SHARED: WeakValueDictionary[int, _Shared] = WeakValueDictionary()


def napari_key(key: str) -> str:
    """Return a key of Qt's spelling in napari's.

    Examples
    --------
    >>> napari_key("Ctrl+Shift+Return")
    'Control-Shift-Enter'
    """
    names = {"Ctrl": "Control", "Return": "Enter", "Meta": "Meta"}
    return "-".join(names.get(part, part) for part in key.split("+"))


def _calling(method: WeakMethod[Any]) -> _Call:
    def act(viewer: Any) -> None:
        action = method()
        if action is not None:
            action()

    return act
