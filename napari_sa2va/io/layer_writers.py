"""File > Save in the formats of other programs, as npe2 asks for it.

Each takes one Labels layer, and perhaps the images that it belongs to.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sa2va.io.export import export
from napari_sa2va.io.export.from_layers import layer_annotations

if TYPE_CHECKING:
    from collections.abc import Callable

    LayerData = tuple[Any, dict[str, Any], str]


def _writer(name: str) -> Callable[[str, list[LayerData]], list[str]]:
    def write(path: str, layers: list[LayerData]) -> list[str]:
        """Write layers, and tell what the format cannot hold; return where they are."""
        notes = export(layer_annotations(layers), name, Path(path))
        if notes:
            from napari.utils.notifications import show_info

            show_info(f"{Path(path).name}: {' '.join(notes)}")
        return [path]

    return write


write_imagej = _writer("imagej")
write_ome_tiff = _writer("ome-tiff")
write_ome_zarr = _writer("ome-zarr")
write_coco = _writer("coco")
write_yolo = _writer("yolo")
write_refcoco = _writer("refcoco")
write_finetuning = _writer("finetuning")
write_nifti = _writer("nifti")
write_csv = _writer("csv")
write_parquet = _writer("parquet")
write_html = _writer("html")
write_markdown = _writer("markdown")
