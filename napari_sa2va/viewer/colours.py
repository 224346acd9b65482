"""Colours that the user chose for some labels, over the colormap of their layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Labels
    from numpy.typing import NDArray

MOST_COLOURS: Final = 2**16 - 1
"""napari takes 2**16 colours, the background among them."""


class ChosenColours:
    """Gives labels of one layer their own colours; all others keep theirs.

    napari repeats the colours of a layer for ever: 49 at first. Here they are written out so many
    times as fit, and single ones of them replaced: napari maps those as fast as the 49, and a
    label that comes later has the colour that it would have had. (A `DirectLabelColormap` would
    have to name the colour of every label, and of every label to come.) What the user does with
    the colormap, such as shuffling it, stays; the chosen colours go on top again.

    Parameters
    ----------
    labels : Labels
        Followed until `close`. Labels above 65 000 share a chosen colour with one other.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._chosen: dict[int, str] = {}
        self._base: Any = None
        self._made: Any = None
        labels.events.colormap.connect(self._on_colormap)

    def close(self) -> None:
        """Stop following the layer."""
        self._labels.events.colormap.disconnect(self._on_colormap)

    def show(self, chosen: Mapping[int, str]) -> None:
        """Show these colours, and no longer those of before.

        Parameters
        ----------
        chosen : mapping of int to str
            ``"#rrggbb"`` by label; any colour that napari understands will do.
        """
        if chosen == self._chosen:
            return
        self._chosen = dict(chosen)
        if self._made is None or self._labels.colormap is not self._made:
            self._base = self._labels.colormap
        self._apply()

    def _on_colormap(self) -> None:
        """Take the colormap of somebody else as the one below ours."""
        if self._labels.colormap is not self._made and self._chosen:
            self._base = self._labels.colormap
            self._apply()

    def _apply(self) -> None:
        colormap = with_colours(self._base, self._chosen) if self._chosen else self._base
        now = self._labels.colormap
        colormap.use_selection, colormap.selection = now.use_selection, now.selection
        self._made = colormap
        self._labels.colormap = colormap


def with_colours(
    base: CyclicLabelColormap | DirectLabelColormap, chosen: Mapping[int, str]
) -> CyclicLabelColormap | DirectLabelColormap:
    """Return a colormap that differs from another in the colours of some labels."""
    rgba = {label: rgba_of(colour) for label, colour in chosen.items()}
    if isinstance(base, DirectLabelColormap):
        colours = {**base.color_dict, None: base.default_color, **rgba}
        return DirectLabelColormap(color_dict=colours, background_value=base.background_value)
    # Colour 0 is the background's; label n has colour (n - 1) % (len - 1) + 1.
    background, cycle = base.colors[:1], base.colors[1:]
    written_out = np.tile(cycle, (max(MOST_COLOURS // len(cycle), 1), 1))
    for label, colour in rgba.items():
        written_out[(label - 1) % len(written_out)] = colour
    return CyclicLabelColormap(
        name=base.name,
        colors=np.concatenate([background, written_out]),
        background_value=base.background_value,
    )


def rgba_of(colour: str) -> NDArray[np.float32]:
    """Return a colour's four numbers, 0 to 1."""
    from napari.utils.colormaps.standardize_color import transform_color

    return np.asarray(transform_color(colour)[0], dtype=np.float32)
