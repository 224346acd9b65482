"""Letters of captions, drawn before they are needed."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# By those with marks vispy measures the height of a line; then the likeliest.
_LETTERS: Final = "ÅÉÑŐ" + string.ascii_lowercase + " ·…-" + string.digits + string.ascii_uppercase


def glyphs_drawn(viewer: Any) -> Iterator[str]:
    """Have napari draw the letters that captions are likely to have, one a step.

    napari draws a letter when a text first has it, which takes 10 to 15 ms each: 0.2 s for the
    first caption. Its store of letters is not public (napari 0.9: ``QtViewer.canvas.font_info``);
    where it is not as expected, nothing is drawn ahead.

    Parameters
    ----------
    viewer : napari.Viewer
        One without a window, or with another one than expected, has no letters to draw.

    Yields
    ------
    str
        The letter that was drawn.
    """
    window = getattr(viewer, "window", None)
    canvas = getattr(getattr(window, "_qt_viewer", None), "canvas", None)
    font_info = getattr(canvas, "font_info", None)
    if font_info is None:
        return
    info = font_info()
    font = info.font_manager.get_font(info.face)
    for letter in _LETTERS:
        font[letter]
        yield letter
