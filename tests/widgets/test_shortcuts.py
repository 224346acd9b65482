"""Keys of the dock: free in napari, harmless while typing, and the user's to change."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from npe2 import PluginManifest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import QApplication, QLineEdit

import napari_sa2va
from napari_sa2va.viewer.preferences import store_setting
from napari_sa2va.widgets import shortcuts
from napari_sa2va.widgets.canvas_keys import CanvasKeys, napari_key
from napari_sa2va.widgets.shortcuts import SHORTCUTS, clashes, key, shown, with_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app_model.types import KeyBinding


@pytest.fixture
def changed() -> Iterator[Any]:
    """Change settings of keys; afterwards they are as before."""
    names = []

    def change(name: str, value: str) -> None:
        names.append(name)
        store_setting("keys", name, value)

    yield change
    for name in names:
        store_setting("keys", name, SHORTCUTS[name].default)


def ours() -> dict[KeyBinding, str]:
    from napari.utils.key_bindings import coerce_keybinding

    return {
        coerce_keybinding(napari_key(shortcut.default)): name
        for name, shortcut in SHORTCUTS.items()
    }


def test_every_action_has_a_key_of_its_own_and_a_setting() -> None:
    assert len(ours()) == len(SHORTCUTS)
    manifest = PluginManifest.from_file(Path(napari_sa2va.__file__).parent / "napari.yaml")
    settings = manifest.contributions.configurations["keys"].properties
    assert {name: (one.default, one.title) for name, one in settings.items()} == {
        name: (shortcut.default, shortcut.title) for name, shortcut in SHORTCUTS.items()
    }


def test_keys_are_free_on_every_kind_of_layer_and_the_viewer() -> None:
    from napari import layers
    from napari.components import ViewerModel
    from napari.utils.key_bindings import coerce_keybinding
    from napari.utils.shortcuts import default_shortcuts
    from napari.viewer import Viewer

    kinds = [getattr(layers, name) for name in layers.__all__]
    for kind in (*(kind for kind in kinds if hasattr(kind, "class_keymap")), ViewerModel, Viewer):
        for owner in kind.__mro__:
            taken = set(vars(owner).get("class_keymap", ()))
            clashes = {str(at): ours()[at] for at in taken & ours().keys()}
            assert not clashes, kind
    assert len(kinds) >= 8
    taken = {coerce_keybinding(at) for bound in default_shortcuts.values() for at in bound}
    assert len(taken) > 50
    assert not {str(at): ours()[at] for at in taken & ours().keys()}


def test_keys_are_free_in_the_menus_and_the_window(make_napari_viewer: Any) -> None:
    from napari._app_model import get_app_model
    from napari.utils.key_bindings import coerce_keybinding
    from qtpy.QtGui import QShortcut

    window = make_napari_viewer().window._qt_window
    taken = {str(coerce_keybinding(str(one.keybinding))) for one in get_app_model().keybindings}
    assert "Ctrl+O" in taken and len(taken) > 15
    taken |= {one.key().toString() for one in window.findChildren(QShortcut)}
    menus = [action.text() for action in window.menuBar().actions()]
    opened = {f"Alt+{text[text.index('&') + 1].upper()}" for text in menus if "&" in text}
    assert "Alt+F" in opened  # opens the File menu
    assert not {str(at): name for at, name in ours().items() if str(at) in taken | opened}


def test_in_a_text_field_letters_are_typed_and_no_other_key_edits(qtbot: Any) -> None:
    from napari_sa2va.widgets.ask_panel import Composer

    for field in (Composer(), QLineEdit()):
        qtbot.addWidget(field)
        for name, shortcut in SHORTCUTS.items():
            combination = QKeySequence(shortcut.default)[0]
            modifiers = combination.keyboardModifiers()
            event = QKeyEvent(QEvent.Type.ShortcutOverride, combination.key(), modifiers, "x")
            event.ignore()
            QApplication.sendEvent(field, event)
            plain = modifiers in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier)
            typed = plain and combination.key() < Qt.Key.Key_Escape
            # Accepted, the key goes to the field, and no shortcut hears of it.
            assert event.isAccepted() == typed, name


@pytest.mark.parametrize("name", ["image", "channels"])
def test_in_a_list_letters_find_an_entry(
    dock: Any, name: str, changed: Any, make_picture: Any, qtbot: Any
) -> None:
    for channel, title in enumerate(("yeast", "more")):
        dock._viewer.add_image(make_picture()[..., channel], name=title)
    dock._viewer.window.show()
    dock._viewer.window.activate()
    changed("new_regions", "Ctrl+F9")
    changed("follow_region", "Y")
    letter, other = Part(), Part()
    dock.bind({"new_regions": other.act, "follow_region": letter.act})
    dock.source.image.setCurrentIndex(2)
    field = getattr(dock.source, name)
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    qtbot.keyClick(field, "y")
    assert letter.acted == 0
    current = field.currentItem().text() if name == "channels" else field.currentText()
    assert current.startswith("yeast")
    qtbot.keyClick(field, Qt.Key.Key_F9, Qt.KeyboardModifier.ControlModifier)
    assert other.acted == 1
    dock.objects.table.setFocus()
    qtbot.keyClick(dock.objects.table, "y")
    assert letter.acted == 1


def test_the_dock_before_has_its_keys_again() -> None:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    first, second, gone = Part(), Part(), Part()
    docks = [CanvasKeys(viewer) for _ in range(3)]
    for keys, part in zip(docks, (first, gone, second), strict=True):
        keys.bind("F9", part.act)
    del gone, part
    (key,) = viewer.keymap
    viewer.keymap[key](viewer)
    assert (first.acted, second.acted) == (0, 1)
    docks[2].unbind()
    viewer.keymap[key](viewer)
    assert (first.acted, second.acted) == (1, 1)
    docks[0].unbind()
    docks[1].unbind()
    assert not viewer.keymap


def test_shift_is_used_with_letters_only() -> None:
    """With other keys it depends on the keyboard's layout what napari sees."""
    for shortcut in SHORTCUTS.values():
        modifiers, _, last = shortcut.default.rpartition("+")
        assert "Shift" not in modifiers or last.isalpha(), shortcut


def test_keys_are_shown_and_can_be_changed(changed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (key("run"), shown("run")) == ("Ctrl+Return", "Ctrl+Enter")
    assert with_key("Next object", "review_next") == "Next object (N)"
    changed("accept", "F7")
    assert (key("accept"), shown("accept")) == ("F7", "F7")
    changed("accept", "")
    assert (key("accept"), with_key("Accept", "accept")) == ("", "Accept")
    for nonsense in ("no such key", "G, H"):
        changed("accept", nonsense)
        assert key("accept") == "G"
    assert clashes() == ""
    changed("accept", SHORTCUTS["reject"].default.lower())
    assert clashes() == (
        "W is the key of “Accept (good)” and of “Reject (wrong)”. "
        "Change one under File ▸ Preferences ▸ Sa2VA ▸ Keys."
    )
    # Where the plugin is not installed for napari, there are no settings.
    monkeypatch.setattr(shortcuts, "setting", lambda group, name, default: default)
    assert key("accept") == "G"


class Part:
    """Something with actions."""

    def __init__(self) -> None:
        self.acted = 0

    def act(self) -> None:
        self.acted += 1


def test_bound_keys_act_in_the_dock_and_on_the_canvas_until_it_closes(
    dock: Any, changed: Any, qtbot: Any
) -> None:
    from napari.utils.key_bindings import coerce_keybinding

    changed("new_regions", "Ctrl+F9")
    changed("follow_region", "Media Play")  # which napari's canvas does not know
    changed("new_object", "")
    dock._viewer.window.show()
    dock._viewer.window.activate()
    dock.objects.table.setFocus()
    qtbot.waitUntil(dock.objects.table.hasFocus)
    part = Part()
    dock.bind(dict.fromkeys(("new_regions", "follow_region", "new_object"), part.act))
    qtbot.keyClick(dock.objects.table, Qt.Key.Key_F9, Qt.KeyboardModifier.ControlModifier)
    assert part.acted == 1
    bound = dock._viewer.keymap[coerce_keybinding("Control-F9")]
    bound(dock._viewer)
    assert part.acted == 2
    dock._keys.unbind()
    assert coerce_keybinding("Control-F9") not in dock._viewer.keymap


def test_keys_that_are_the_same_are_told(
    make_napari_viewer: Any, runner: Any, changed: Any, qtbot: Any
) -> None:
    from napari_sa2va.widgets import Sa2VAWidget

    changed("note", "F2")
    dock = Sa2VAWidget(make_napari_viewer(), runner)
    qtbot.addWidget(dock)
    assert "F2 is the key of" in dock.messages.text
    dock.controller.close()


def test_a_key_of_the_canvas_does_not_keep_its_owner_alive() -> None:
    from napari.components import ViewerModel

    viewer, part = ViewerModel(), Part()
    keys = CanvasKeys(viewer)
    keys.bind("F9", part.act)
    (bound,) = viewer.keymap.values()
    gone = weakref.ref(part)
    del part
    assert gone() is None
    bound(viewer)
    keys.unbind()
    assert not viewer.keymap


def test_the_user_guide_lists_all_keys() -> None:
    lines = (Path(__file__).parents[2] / "docs" / "objects.md").read_text(encoding="utf-8")
    table = [
        f"| {shortcut.title} | {shortcut.default.replace('Return', 'Enter')} | `{name}` |"
        for name, shortcut in SHORTCUTS.items()
    ]
    assert "\n".join(["| --- | --- | --- |", *table]) in lines, "\n".join(table)
