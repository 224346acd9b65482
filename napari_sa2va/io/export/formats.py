"""All formats by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sa2va.io.export.annotations import WithoutNegative, without_rejected
from napari_sa2va.io.export.readable import readable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations

    Writer = Callable[[Annotations, Path], list[str]]


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes
    ----------
    name : str
        On the command line.
    title : str
        For people.
    ending : str
        Of the file's or folder's name, after the image's.
    module, function : str
        Where its writer is; imported when it is used.
    package : str
        What it needs beside our own requirements; empty for nothing.
    with_pictures : bool
        Whether it cannot be written without the image.
    """

    name: str
    title: str
    ending: str
    module: str
    function: str
    package: str = ""
    with_pictures: bool = False

    @property
    def missing(self) -> str:
        """The package that it needs and that is not installed; empty if it can be written."""
        return self.package if self.package and find_spec(self.package) is None else ""

    @property
    def suffix(self) -> str:
        """The least that the name of such a file ends in; empty for a folder of any name."""
        return self.ending[self.ending.index(".") :] if "." in self.ending else ""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, and not a file."""
        return "." not in self.ending or self.ending.endswith(".zarr")

    def path_in(self, folder: Path, annotations: Annotations) -> Path:
        """Return where annotations go by default."""
        return folder / f"{annotations.file_name}{self.ending}"

    def writer(self) -> Writer:
        """Import the function that writes it."""
        module = import_module(f"napari_sa2va.io.export.{self.module}")
        function: Writer = getattr(module, self.function)
        return function


_TABLE: Final = (
    Format("imagej", "ImageJ hyperstack", "_labels.tif", "imagej", "write_imagej"),
    Format("ome-tiff", "OME-TIFF", "_labels.ome.tif", "ome_tiff", "write_ome_tiff"),
    Format("ome-zarr", "OME-Zarr 0.5", ".ome.zarr", "ome_zarr", "write_ome_zarr_05"),
    Format("ome-zarr-0.4", "OME-Zarr 0.4", ".ome.zarr", "ome_zarr", "write_ome_zarr_04"),
    Format("nifti", "NIfTI", "_labels.nii.gz", "nifti", "write_nifti", "nibabel"),
    Format("coco", "COCO, masks", ".coco.json", "coco", "write_coco", "pycocotools"),
    Format("coco-polygons", "COCO, polygons", ".coco.json", "coco", "write_coco_polygons"),
    Format("yolo", "YOLO segmentation dataset", "_yolo", "yolo", "write_yolo", with_pictures=True),
    Format(
        "refcoco", "Referring expressions", "_refcoco", "referring", "write_refcoco",
        "pycocotools", with_pictures=True,
    ),
    Format(
        "finetuning", "Sa2VA fine-tuning", "_finetuning", "referring", "write_finetuning",
        with_pictures=True,
    ),
    Format("csv", "Tables, CSV", "_objects.csv", "tables", "write_csv"),
    Format("parquet", "Tables, Parquet", "_objects.parquet", "tables", "write_parquet", "pyarrow"),
    Format("html", "Report, HTML", "_report.html", "report", "write_html"),
    Format("markdown", "Report, Markdown", "_report.md", "report", "write_markdown"),
)  # fmt: skip

FORMATS: Final[dict[str, Format]] = {one.name: one for one in _TABLE}


def export(annotations: Annotations, name: str, path: Path, *, rejected: bool = False) -> list[str]:
    """Write annotations in one of `FORMATS`, whole or not at all.

    Parameters
    ----------
    annotations : Annotations
    name : str
        Of the format.
    path : Path
        The file or folder to write.
    rejected : bool
        Whether objects that the user rejected go along.

    Returns
    -------
    list of str
        Sentences: what the format cannot hold, and what was left out.

    Raises
    ------
    Sa2VAError
        If it cannot be written, or the labels or the image cannot be read.
    """
    chosen = readable(annotations)
    chosen = chosen if rejected else without_rejected(chosen)
    notes = list(chosen.notes)
    signed = np.dtype(chosen.labels.dtype).kind == "i"
    labels = WithoutNegative(chosen.labels) if signed else None
    if labels is not None:
        chosen = replace(chosen, labels=labels)
    notes += FORMATS[name].writer()(replace(chosen, notes=()), path)
    if labels is not None and labels.found:
        notes.append("Negative numbers are no labels: they are written as background.")
    return list(dict.fromkeys(notes))
