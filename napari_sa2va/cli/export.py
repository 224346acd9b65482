"""``napari-sa2va export``: from a session or labels to files of other programs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.zarr_files import is_zarr_group
from napari_sa2va.io.atomic import place_of
from napari_sa2va.io.export import FORMATS
from napari_sa2va.io.export import export as write
from napari_sa2va.io.export.datasets import is_earlier_export
from napari_sa2va.io.export.image_files import picture_file
from napari_sa2va.io.export.report import picture_beside
from napari_sa2va.io.import_labels import opened_annotations

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.io.export import Annotations


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What to write.

    Attributes
    ----------
    source : Path
        A session, or a file of labels.
    output : Path
        A file or folder to write, or a folder that is there, to write into.
    formats : tuple of str
        Names in `FORMATS`.
    image : Path, optional
        The image that was annotated.
    rejected : bool
        Whether objects that the user rejected go along.
    """

    source: Path
    output: Path
    formats: tuple[str, ...]
    image: Path | None = None
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """One export: where it is, and what it could not hold."""

    format: str
    path: Path
    notes: tuple[str, ...]


def export_source(job: ExportJob) -> list[Written]:
    """Write all formats, one after the other.

    Raises
    ------
    Sa2VAError
        If the labels cannot be read, or a format cannot be written; those before it are whole.
    """
    with opened_annotations(job.source) as found:
        annotations = found
        if job.image is not None:
            notes = tuple(note for note in found.notes if not note.startswith("The image "))
            pictures = picture_file(job.image, found.shape)
            annotations = replace(found, pictures=pictures, notes=notes)
        targets = _targets(job, annotations)
        return [
            Written(name, path, tuple(write(annotations, name, path, rejected=job.rejected)))
            for name, path in targets
        ]


def _targets(job: ExportJob, annotations: Annotations) -> list[tuple[str, Path]]:
    """Return where each format goes.

    Raises
    ------
    InvalidInput
        If one would be written over another, over what it is made of, or over the image.
    """
    folders = all(FORMATS[name].is_folder for name in job.formats)
    if job.output.is_dir():
        zarrs = all(name.startswith("ome-zarr") for name in job.formats)
        again = len(job.formats) == 1 and is_earlier_export(
            job.output, job.formats[0], annotations.provenance
        )
        # Labels are added to an image, a data set is made anew; other folders take files.
        into = not (again or (zarrs and is_zarr_group(job.output)))
    else:  # a name without an ending is that of a folder
        into = not folders and not job.output.suffix
    if len(job.formats) > 1 and not into and job.output.suffix:
        raise InvalidInput(
            f"Several formats do not go into the one file {job.output}. Give a folder."
        )
    into = into or len(job.formats) > 1
    targets = [
        (name, FORMATS[name].path_in(job.output, annotations) if into else job.output)
        for name in job.formats
    ]
    paths = [path for _, path in targets]
    images = [*annotations.image_files, *([] if job.image is None else [job.image])]
    kept = {place_of(image): "the image that was annotated" for image in images}
    kept[place_of(job.source)] = "what is exported"
    for name, path in targets:
        if paths.count(path) > 1:
            raise InvalidInput(
                f"Two of the formats would be written to {path} ({name}). Write them one by one."
            )
        if name.startswith("ome-zarr"):
            continue  # labels are added to an image that is there
        # NIfTI looks itself after what it writes beside the labels.
        for written in (path, *([picture_beside(path)] if name == "markdown" else [])):
            if what := kept.get(place_of(written)):
                raise InvalidInput(
                    f"{written} is {what}, and would be written over. Choose another OUT."
                )
    return targets
