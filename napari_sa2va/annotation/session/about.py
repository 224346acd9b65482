"""Which image and which layer a session is about, as plain values."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image layer that was looked at.

    Attributes
    ----------
    name : str
        Of the layer.
    path : str
        The file or folder that it was opened from; empty where there is none.
    beside : str
        The same, as seen from the session's folder: both can be moved together.
    sample : tuple of str
        Plugin and key, of sample data; else empty.
    shape : tuple of int
        At full resolution, a colour axis included.
    dtype : str
    rgb : bool
    shown : mapping
        Arguments of napari's layer: contrast limits, colormap, scale and so on.
    """

    name: str
    path: str = ""
    beside: str = ""
    sample: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = ""
    rgb: bool = False
    shown: Mapping[str, Any] = field(default_factory=dict)

    def seen_from(self, folder: Path) -> ImageInfo:
        """Return the same with `beside` filled in."""
        if not self.path:
            return self
        try:
            return replace(self, beside=Path(os.path.relpath(self.path, folder)).as_posix())
        except ValueError:  # on another drive of Windows
            return replace(self, beside="")

    def found_from(self, folder: Path) -> Path | None:
        """Return where the file is now; None if it is neither there nor beside the folder."""
        for place in (self.path, self.beside and os.path.normpath(folder / self.beside)):
            if place and Path(place).exists():
                return Path(place)
        return None


@dataclass(frozen=True, slots=True)
class LabelsInfo:
    """The Labels layer.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dtype : str
    shown : mapping
        Arguments of napari's layer: scale, translate, units and so on.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    shown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class About:
    """Both."""

    images: tuple[ImageInfo, ...]
    labels: LabelsInfo

    def detail(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"images": [asdict(image) for image in self.images], "labels": asdict(self.labels)}

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> About:
        """Return what `detail` told of.

        Raises
        ------
        KeyError, TypeError
            If it is nothing of the kind.
        """
        images = tuple(_image(image) for image in said["images"])
        labels = said["labels"]
        info = LabelsInfo(
            labels["name"], tuple(labels["shape"]), labels["dtype"], labels.get("shown", {})
        )
        return cls(images, info)


def _image(said: Mapping[str, Any]) -> ImageInfo:
    known = {one.name for one in fields(ImageInfo)}
    values = {name: value for name, value in said.items() if name in known}
    for name in ("sample", "shape"):
        values[name] = tuple(values.get(name, ()))
    return ImageInfo(**values)
