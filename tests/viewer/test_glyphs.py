"""Letters of captions are drawn ahead in a real window, and nowhere else."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel

from napari_sa2va.viewer.glyphs import glyphs_drawn


def test_the_letters_of_a_caption_are_there_before_it(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    drawn = set(glyphs_drawn(viewer))
    info = viewer.window._qt_viewer.canvas.font_info()
    font = info.font_manager.get_font(info.face)
    assert set("12 · the large red cell…") <= drawn <= set(font._glyphs)


def test_without_a_window_nothing_is_drawn() -> None:
    assert list(glyphs_drawn(ViewerModel())) == []
