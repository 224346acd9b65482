"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """Kinds of files that `segment` writes."""

    tiff = "tiff"
    png = "png"
    csv = "csv"


class TrackFormat(StrEnum):
    """Kinds of files that `track` writes."""

    tiff = "tiff"
    zarr = "zarr"
    csv = "csv"


class ExportFormat(StrEnum):
    """Formats that `export` writes: `napari_sa2va.io.export.formats`, without importing it."""

    imagej = "imagej"
    ome_tiff = "ome-tiff"
    ome_zarr = "ome-zarr"
    ome_zarr_04 = "ome-zarr-0.4"
    nifti = "nifti"
    coco = "coco"
    coco_polygons = "coco-polygons"
    yolo = "yolo"
    refcoco = "refcoco"
    finetuning = "finetuning"
    csv = "csv"
    parquet = "parquet"
    html = "html"
    markdown = "markdown"


class Heading(StrEnum):
    """Where to go from the planes looked at."""

    both = "both"
    forward = "forward"
    backward = "backward"


class Way(StrEnum):
    """Ways to track."""

    consistent = "consistent"
    official = "official"


class Precision(StrEnum):
    """Number formats of the weights."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"
    int8 = "int8"
    int4 = "int4"


ModelOption = Annotated[
    str,
    typer.Option(
        help="demo, a name that 'napari-sa2va models list' shows, a checkpoint's folder, or a Hub "
        "id; downloaded first if it is not here."
    ),
]
DeviceOption = Annotated[
    str, typer.Option(help="Where the model runs: auto, cpu, cuda, cuda:1 and so on, or mps.")
]
DtypeOption = Annotated[Precision, typer.Option(help="Number format of the model's weights.")]
ContrastOption = Annotated[
    str | None,
    typer.Option(
        metavar="LO,HI",
        help="Values drawn black and white; left out, those that napari sets on opening the file.",
    ),
]
IndexOption = Annotated[
    str | None,
    typer.Option(
        metavar="N,…",
        help="Plane of a stack: a number from 0 for each axis before rows and columns; left out, "
        "the plane that napari shows first.",
    ),
]
ChannelOption = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Channel of a file that names its channels.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
