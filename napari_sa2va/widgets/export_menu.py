"""The formats that objects can be written in, as a menu."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QWidget

from napari_sa2va.io.export.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

# Labels; tables and reports; data sets for training.
_GROUPS: Final = (
    ("imagej", "ome-tiff", "ome-zarr", "ome-zarr-0.4", "nifti"),
    ("csv", "parquet", "html", "markdown"),
    ("coco", "coco-polygons", "yolo", "refcoco", "finetuning"),
)
_MEANT_FOR: Final = {
    "imagej": "For Fiji and napari: a hyperstack with spacing, unit and colours",
    "ome-tiff": "For Fiji, QuPath and OMERO: sizes and phrases in the XML",
    "ome-zarr": "For napari-ome-zarr and MoBIE: image and labels, multiscale; or into an image "
    "that is there",
    "ome-zarr-0.4": "The older version, which more programs open",
    "nifti": "For ITK-SNAP, 3D Slicer and FSL: labels and image, phrases in a JSON",
    "csv": "For spreadsheets, pandas and R: a row per object, and per object and plane",
    "parquet": "The same tables, typed and compressed",
    "html": "One page to read: picture, table, conversation, methods",
    "markdown": "The same as a text with a picture beside it",
    "coco": "For pycocotools, detectron2 and CVAT: exact masks with captions and tracks",
    "coco-polygons": "The same with polygons, for programs that know no masks",
    "yolo": "For Ultralytics: pictures, polygons and data.yaml",
    "refcoco": "Pictures with masks and sentences",
    "finetuning": "What Sa2VA's own training reads",
}


class ExportMenu(QMenu):
    """Filled anew whenever it opens.

    Parameters
    ----------
    has_image : callable
        Whether the image of the objects is known.
    """

    wanted = Signal(str)
    """The name of a format."""

    def __init__(self, has_image: Callable[[], bool], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._has_image = has_image
        self.setToolTipsVisible(True)
        self.with_rejected = False
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """Offer what can be written here."""
        self.clear()
        has_image = self._has_image()
        for names in _GROUPS:
            for name in names:
                form = FORMATS[name]
                action = self.addAction(f"{form.title}…")
                action.setObjectName(name)
                action.setToolTip(_MEANT_FOR[name])
                if missing := form.missing:
                    action.setEnabled(False)
                    action.setToolTip(
                        f"Needs the package {missing}: python -m pip install {missing}"
                    )
                elif form.with_pictures and not has_image:
                    action.setEnabled(False)
                    action.setToolTip("Needs the image: show the layer that the labels lie on")
                action.triggered.connect(lambda _=False, name=name: self.wanted.emit(name))
            self.addSeparator()
        rejected = self.addAction("With rejected objects")
        rejected.setObjectName("with_rejected")
        rejected.setCheckable(True)
        rejected.setChecked(self.with_rejected)
        rejected.toggled.connect(self._on_rejected)

    def _on_rejected(self, on: bool) -> None:
        self.with_rejected = on
