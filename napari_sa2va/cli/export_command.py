"""The command ``export`` and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sa2va.cli.common import failures, print_json
from napari_sa2va.cli.exit_codes import ExitCode
from napari_sa2va.cli.options import ExportFormat, JsonOption, QuietOption


def export(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SESSION|LABELS",
            help="A session (NAME.sa2va), or labels: TIFF, OME-Zarr, zarr, COCO (.json), NIfTI, "
            ".npy.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The file or folder to write; a folder that is there takes it under the image's "
            "name.",
        ),
    ] = Path(),
    formats: Annotated[
        list[ExportFormat] | None,
        typer.Option("--format", "-f", help="What to write; may be given several times."),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The image that was annotated, for formats with pictures; of a session it is "
            "known.",
        ),
    ] = None,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Keep objects that were rejected in the review.")
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the objects of a session, or any labels, in the formats of other programs."""
    from napari_sa2va.cli.export import ExportJob, export_source

    if not formats:
        names = ", ".join(one.value for one in ExportFormat)
        raise typer.BadParameter(f"choose one or more of: {names}.", param_hint="--format")
    job = ExportJob(
        source, output, tuple(dict.fromkeys(one.value for one in formats)), image, rejected
    )
    with failures("export", json_output):
        written = export_source(job)
    if json_output:
        said = [
            {"format": one.format, "path": str(one.path), "notes": list(one.notes)}
            for one in written
        ]
        print_json("export", ExitCode.OK, {"source": str(source), "written": said})
    elif not quiet:
        for one in written:
            typer.echo(f"wrote {one.path}")
            for note in one.notes:
                typer.echo(f"  {note}", err=True)
