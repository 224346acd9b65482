"""Phrases beside the objects: a Points layer with text, for Labels layers have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.experimental import link_layers
from napari.layers import Points

from napari_sa2va.viewer.entries import axes_of
from napari_sa2va.viewer.labels import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from napari.layers import Labels

    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.entries import Entry

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
        self._known: set[str] = set()

    @property
    def layer(self) -> Points | None:
        """The Points layer, None before the first caption and after a user deleted it."""
        return self._layer if self._layer in self._viewer.layers else None

    def show(self, captions: Iterable[Caption], *, moved: bool = False) -> None:
        """Replace the captions: the newest, at most `MOST_PER_PLANE`.

        Parameters
        ----------
        captions : iterable of Caption
            Those of the plane in view: text is too slow for thousands.
        moved : bool
            Only the view changed, no object.
        """
        wanted = newest(captions)
        if wanted == self._shown and (self.layer is not None or not wanted):
            return
        texts = {caption.text for caption in wanted}
        deleted = self._layer is not None and self.layer is None
        if deleted and (moved or texts <= self._known):
            return  # who deleted them does not want them back but with news
        self._known |= texts
        same = [c.text for c in wanted] == [c.text for c in self._shown]
        self._shown = wanted
        if self.layer is None and wanted:
            self._layer, same = self._add_layer(), False
        if self.layer is not None:
            same = same and len(self.layer.data) == len(wanted)
            self._fill(self.layer, wanted, same_text=same)

    def remove(self) -> None:
        """Take the layer away."""
        if (layer := self.layer) is not None:
            self._viewer.layers.remove(layer)
        self._layer, self._shown = None, []
        self._known.clear()

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

    def _fill(self, layer: Points, captions: Sequence[Caption], *, same_text: bool) -> None:
        points = np.array([caption.point for caption in captions]).reshape(-1, self._labels.ndim)
        if same_text:  # in place: for new data napari would measure the whole scene
            layer.data[:] = points
            layer.refresh(extent=False, thumbnail=False, highlight=False)
            return
        # Text is made from the features: were they of another length, napari would complain.
        layer.data = points
        layer.features = _features(captions)
        layer.refresh_text()


def newest(captions: Iterable[Caption]) -> list[Caption]:
    """Keep the last captions (highest labels), in the order of their labels."""
    return sorted(captions, key=lambda caption: caption.label)[-MOST_PER_PLANE:]


def captions_in(entries: Iterable[Entry], plane: PlaneIndex | None) -> list[Caption]:
    """Return the captions of the objects of one plane.

    Parameters
    ----------
    entries : iterable of Entry
        Objects that have pixels.
    plane : PlaneIndex or None
        In view. An object that was found in planes of other axes, or is seen in 3-D (None), has
        its caption in the middle of its planes.
    """
    captions = []
    for entry in entries:
        spot = None if plane is None else entry.spots.get(plane)
        if plane is not None and (spot is not None or entry.axes == axes_of(plane)):
            at = plane if spot is not None and spot.pixels else None
        else:
            planes = entry.planes
            at = planes[len(planes) // 2] if planes else None
        if at is not None:
            record = entry.record
            captions.append(Caption(record.label, record.phrase, entry.point_in(at), at))
    return captions


def _features(captions: Sequence[Caption]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "label": pd.Series([caption.label for caption in captions], dtype="int64"),
            "phrase": pd.Series([caption.phrase for caption in captions], dtype="object"),
            "caption": pd.Series([caption.text for caption in captions], dtype="object"),
        }
    )
