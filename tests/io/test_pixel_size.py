from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_sa2va.io.labels_tiff import write_labels
from napari_sa2va.io.pixel_size import read_pixel_size

if TYPE_CHECKING:
    from pathlib import Path

PLANE = np.zeros((16, 24), np.uint16)


def test_what_we_write_we_read(tmp_path: Path) -> None:
    write_labels(tmp_path / "l.tif", PLANE, pixel_size=(0.5, 0.325), unit="µm")
    size = read_pixel_size(tmp_path / "l.tif")
    assert size == pytest.approx((0.5, 0.325))


@pytest.mark.parametrize(
    ("unit", "micrometres"), [("micron", 0.25), ("nm", 0.00025), ("\\u00B5m", 0.25), ("mm", 250)]
)
def test_units_of_imagej(tmp_path: Path, unit: str, micrometres: float) -> None:
    tifffile.imwrite(
        tmp_path / "i.tif", PLANE, imagej=True, resolution=(4, 4), metadata={"unit": unit}
    )
    assert read_pixel_size(tmp_path / "i.tif") == pytest.approx((micrometres, micrometres))


def test_ome(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "o.ome.tif",
        PLANE,
        metadata={
            "axes": "YX",
            "PhysicalSizeX": 65.0,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.1,
            "PhysicalSizeYUnit": "µm",
        },
    )
    assert read_pixel_size(tmp_path / "o.ome.tif") == pytest.approx((0.1, 0.065))


def test_what_says_nothing_about_length(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "dpi.tif", PLANE, resolution=(300, 300), resolutionunit="INCH")
    tifffile.imwrite(tmp_path / "bare.tif", PLANE, imagej=True)
    (tmp_path / "broken.tif").write_bytes(b"II*\0 nothing")
    (tmp_path / "picture.png").write_bytes(b"")
    for path in tmp_path.iterdir():
        assert read_pixel_size(path) is None, path
