"""Phrases beside the objects: a Points layer with text, for Labels layers have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.experimental import link_layers
from napari.layers import Points

from napari_sa2va.viewer.labels import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from napari.layers import Labels

MOST_PER_PLANE: Final = 100
"""Text is slow to draw: 500 captions take 0.17 s a frame without a graphics card."""
LONGEST: Final = 24
"""Characters of a phrase: captions are not kept from running into each other."""

# Yellow can be read on dark images and on most labels; text in the label's own colour cannot.
_TEXT: Final = {
    "string": "{caption}",
    "size": 11,
    "color": "yellow",
    "anchor": "center",
}


@dataclass(frozen=True, slots=True)
class Caption:
    """Text for one object.

    Attributes
    ----------
    label : int
        The object's.
    phrase : str
        In full.
    point : tuple of float
        Where, in data coordinates of the Labels layer.
    plane : tuple
        A position on every axis, None on the two of the plane.
    """

    label: int
    phrase: str
    point: tuple[float, ...]
    plane: tuple[int | None, ...]

    @property
    def text(self) -> str:
        """What is drawn."""
        short = self.phrase
        if len(short) > LONGEST:
            short = short[: LONGEST - 1].rstrip() + "…"
        return f"{self.label} · {short}" if short else str(self.label)


class CaptionLayer:
    """The captions of one Labels layer; made when there is something to show.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Where the layer is added.
    labels : Labels
        Whose place and visibility the captions share.
    """

    def __init__(self, viewer: Any, labels: Labels) -> None:
        self._viewer = viewer
        self._labels = labels
        self._layer: Points | None = None
        self._shown: list[Caption] = []

    @property
    def layer(self) -> Points | None:
        """The Points layer, None before the first caption and after a user deleted it."""
        return self._layer if self._layer in self._viewer.layers else None

    def show(self, captions: Iterable[Caption]) -> None:
        """Replace the captions: the newest of each plane, at most `MOST_PER_PLANE`."""
        wanted = newest_per_plane(captions)
        if wanted == self._shown and (self.layer is not None or not wanted):
            return
        self._shown = wanted
        if self.layer is None and wanted:
            self._layer = self._add_layer()
        if self.layer is not None:
            self._fill(self.layer, wanted)

    def remove(self) -> None:
        """Take the layer away."""
        if (layer := self.layer) is not None:
            self._viewer.layers.remove(layer)
        self._layer, self._shown = None, []

    def _add_layer(self) -> Points:
        labels = self._labels
        layer = Points(
            np.zeros((0, labels.ndim)),
            ndim=labels.ndim,
            name=f"{labels.name} · phrases",
            features=_features([]),
            text=_TEXT,
            size=1,
            face_color="transparent",
            border_color="transparent",
            scale=labels.scale,
            translate=labels.translate,
            rotate=labels.rotate,
            shear=labels.shear,
            affine=labels.affine,
            units=labels.units,
            axis_labels=labels.axis_labels,
            metadata={METADATA: {"kind": "captions", "labels": labels.unique_id}},
        )
        active = self._viewer.layers.selection.active
        self._viewer.layers.insert(self._viewer.layers.index(labels) + 1, layer)
        self._viewer.layers.selection.active = active
        layer.visible = labels.visible
        link_layers([labels, layer], ("visible",))
        return layer

    def _fill(self, layer: Points, captions: Sequence[Caption]) -> None:
        points = np.array([caption.point for caption in captions]).reshape(-1, self._labels.ndim)
        # Text is made from the features: were they of another length, napari would complain.
        layer.data = points
        layer.features = _features(captions)
        layer.refresh_text()


def newest_per_plane(captions: Iterable[Caption]) -> list[Caption]:
    """Keep the last captions (highest labels) of each plane, in the order of their labels."""
    by_plane: dict[tuple[int | None, ...], list[Caption]] = {}
    for caption in sorted(captions, key=lambda caption: caption.label):
        by_plane.setdefault(caption.plane, []).append(caption)
    kept = [caption for plane in by_plane.values() for caption in plane[-MOST_PER_PLANE:]]
    return sorted(kept, key=lambda caption: caption.label)


def _features(captions: Sequence[Caption]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "label": pd.Series([caption.label for caption in captions], dtype="int64"),
            "phrase": pd.Series([caption.phrase for caption in captions], dtype="object"),
            "caption": pd.Series([caption.text for caption in captions], dtype="object"),
        }
    )
