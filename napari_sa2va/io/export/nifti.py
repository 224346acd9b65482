"""Labels and image as NIfTI-1, plane by plane, with the rows as JSON beside them.

The planes of a C-ordered array (…, z, y, x) lie in the file in the order that NIfTI wants,
x first. https://nifti.nimh.nih.gov/nifti-1/: dimensions x, y, z, t, then others; world in mm.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.annotation.session.log import record_detail
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing_all
from napari_sa2va.io.export.annotations import colour_of, largest_label
from napari_sa2va.io.export.datasets import write_json
from napari_sa2va.io.export.needed import needed
from napari_sa2va.io.export.space import LENGTH, PIXEL, TIME, letters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from napari_sa2va.io.export.annotations import Annotations, Place
    from napari_sa2va.io.export.space import Space

UNNAMED: Final = "ztc"
"""What axes without a name are taken for, in this order: NIfTI is for volumes."""
_ORDER: Final = "ctz"  # slowest first
_PER_MILLIMETRE: Final = 1000.0
_HEADER_BYTES: Final = 352  # 348, and four that say that no extension follows
_ALIGNED: Final = 2  # "aligned anat": a world, but not the scanner's
_LONGEST: Final = 32_767  # lengths are 16-bit numbers in the header
_INTEGER_TYPES: Final = (np.uint8, np.int16, np.int32)
_WRITER: Final = b"napari-sa2va"
"""In the header's description: by it we know our own files again."""
_DESCRIPTION: Final = slice(148, 228)  # bytes of the header
_SAID: Final = {"name", "axes", "objects", "conversation", "provenance"}
"""What the JSON has."""


def write_nifti(annotations: Annotations, path: Path) -> list[str]:
    """Write labels, the image where it is known, and the JSON; return what they cannot hold.

    Parameters
    ----------
    annotations : Annotations
    path : Path
        Of the labels, ends in ``.nii.gz`` or ``.nii``. ``…_image.nii.gz`` and ``….json`` lie
        beside it. An image of others is not written over, and a JSON of theirs is added to.

    Raises
    ------
    InvalidInput
        If there are other axes than time, depth and channel, if files of others have these names,
        or it cannot be written.
    """
    named = letters(annotations.space.axes, UNNAMED)
    if named is None or not set(named[:-2]) <= set(_ORDER):
        raise InvalidInput(
            "NIfTI knows time, depth and channels; these labels have the axes "
            f"{', '.join(annotations.space.axes)}. Choose COCO or a table."
        )
    largest = largest_label(annotations)
    fitting = [kind for kind in _INTEGER_TYPES if largest <= np.iinfo(kind).max]
    if not fitting:
        raise InvalidInput(
            f"NIfTI's labels end at 2,147,483,647, and there is {largest:,}. Choose OME-Zarr."
        )
    if max(annotations.shape) > _LONGEST:
        raise InvalidInput(
            f"NIfTI's axes end at {_LONGEST:,}, and one has {max(annotations.shape):,}. Choose "
            "OME-Zarr or OME-TIFF."
        )
    stem = path.name.removesuffix(".gz").removesuffix(".nii")
    images, notes = _images(annotations, path.parent, stem.removesuffix("_labels"))
    volumes = [_Volume(path, np.dtype(fitting[0]), annotations.plane, "labels"), *images]
    beside = path.with_name(f"{stem}.json")
    for image in images:
        _check_ours(image.path)
    said = _said_there(beside) | _beside(annotations)
    with replacing_all(*(volume.path for volume in volumes), beside) as (*temporary, words):
        for target, volume in zip(temporary, volumes, strict=True):
            _write_file(target, annotations, named, volume)
        write_json(words, said)
    return _notes(annotations, named) + notes


@dataclass(frozen=True, slots=True)
class _Volume:
    """A file to write: its planes, as what they are stored, and ``labels`` or ``image``."""

    path: Path
    dtype: np.dtype[Any]
    plane: Callable[[Place], NDArray[Any]]
    kind: str


def _images(annotations: Annotations, folder: Path, stem: str) -> tuple[list[_Volume], list[str]]:
    """Return a file for each channel of the image, and what a user should know of them."""
    pictures = annotations.pictures
    if pictures is None:
        return [], ["The image itself is not known here: the labels alone are written."]
    volumes: list[_Volume] = []
    notes: list[str] = []
    for number, (array, rgb) in enumerate(zip(pictures.arrays, pictures.rgb, strict=True)):
        kept = np.dtype(array.dtype)
        dtype = np.dtype(np.uint8) if kept.kind == "b" else kept
        if kept == np.float16:
            dtype = np.dtype(np.float32)
        if rgb:
            if kept != np.uint8:
                notes.append("NIfTI has 8-bit colours only: a colour image is left out.")
                continue
            dtype = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
        else:  # Fiji's TIFFs begin with the other end, and our header says which is ours
            dtype = dtype.newbyteorder("<")
        suffix = f"_{number}" if len(pictures.arrays) > 1 else ""
        target = folder / f"{stem}_image{suffix}.nii.gz"
        volumes.append(_Volume(target, dtype, _reader(array, dtype, rgb), "image"))
        notes.append(f"The image is beside it: {target.name}.")
    return volumes, notes


def _check_ours(path: Path) -> None:
    """Refuse to write over an image of somebody else: a name for labels says nothing of it."""
    if not path.exists():
        return
    try:
        with gzip.open(path) as file:
            description = file.read(_HEADER_BYTES)[_DESCRIPTION]
    except (OSError, EOFError, zlib.error):
        description = b""
    if description.rstrip(b"\0") != _WRITER:
        raise InvalidInput(
            f"{path} is there, and is not from an export. Choose another name for the labels, or "
            "leave the image out."
        )


def _said_there(path: Path) -> dict[str, Any]:
    """Return what a JSON says that is there: BIDS has one of this name, with keys of its own."""
    if not path.exists():
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        said = None
    if not isinstance(said, dict) or ("provenance" not in said and _SAID & set(said)):
        raise InvalidInput(
            f"{path} is there, is not from an export, and cannot be added to. Choose another name "
            "for the labels."
        )
    return said


def _reader(array: Any, dtype: np.dtype[Any], rgb: bool) -> Callable[[Place], NDArray[Any]]:
    def read(place: Place) -> NDArray[Any]:
        plane = np.asarray(array[place] if place else array[...])
        if rgb:
            colours: NDArray[Any] = np.ascontiguousarray(plane[..., :3]).view(dtype)
            return colours[..., 0]
        return plane

    return read


def _write_file(
    path: Path, annotations: Annotations, named: tuple[str, ...], volume: _Volume
) -> None:
    header = _header(annotations, named, volume.dtype, volume.kind)
    # A temporary path keeps the last ending of the wanted one.
    opened: Any = (
        gzip.open(path, "wb", compresslevel=6) if path.suffix == ".gz" else Path(path).open("wb")
    )
    with opened as file:
        file.write(header.binaryblock)
        file.write(bytes(_HEADER_BYTES - len(header.binaryblock)))
        for place in _places(annotations, named):
            read = volume.plane(place)
            file.write(np.ascontiguousarray(read, dtype=volume.dtype).tobytes())


def _places(annotations: Annotations, named: tuple[str, ...]) -> Iterator[Place]:
    order = sorted(range(len(named) - 2), key=lambda axis: _ORDER.index(named[axis]))
    for position in np.ndindex(*(annotations.shape[axis] for axis in order)):
        place = [0] * len(order)
        for axis, at in zip(order, position, strict=True):
            place[axis] = at
        yield tuple(place)


def _header(
    annotations: Annotations, named: tuple[str, ...], dtype: np.dtype[Any], kind: str
) -> Any:
    nibabel = needed("nibabel", "nibabel", "NIfTI files")
    space = annotations.space
    lengths = dict(zip(named, annotations.shape, strict=True))
    steps = dict(zip(named, space.scale, strict=True))
    units = dict(zip(named, space.units, strict=True))
    shape = [lengths["x"], lengths["y"], lengths.get("z", 1)]
    if "t" in lengths or "c" in lengths:
        shape.append(lengths.get("t", 1))
    if "c" in lengths:
        shape.append(lengths["c"])
    header = nibabel.Nifti1Header(endianness="<")
    header.set_data_dtype(dtype.newbyteorder("<") if dtype.names is None else dtype)
    header.set_data_shape(shape)
    affine = affine_of(space, named)
    header.set_qform(affine, _ALIGNED)
    header.set_sform(affine, _ALIGNED)
    zooms = [float(step) for step in np.linalg.norm(affine[:3, :3], axis=0)]
    zooms += [steps.get("t", 1.0), 1.0][: len(shape) - 3]
    header.set_zooms(zooms)
    header.set_xyzt_units(
        "mm" if units["x"] == LENGTH else None, "sec" if units.get("t") == TIME else None
    )
    if kind == "labels":
        header.set_intent("label", name="napari-sa2va")
    header["descrip"] = _WRITER
    header["vox_offset"] = _HEADER_BYTES
    return header


def affine_of(space: Space, named: tuple[str, ...]) -> NDArray[np.float64]:
    """Return the (4, 4) matrix from x, y, z indices to mm; to steps where the unit is unknown."""
    affine = np.eye(4)
    rows = {axis: named.index(axis) for axis in "xyz" if axis in named}
    factors = {
        axis: 1 / _PER_MILLIMETRE if space.units[row] == LENGTH else 1.0
        for axis, row in rows.items()
    }
    for i, to in enumerate("xyz"):
        if to not in rows:
            continue
        affine[i, 3] = space.matrix[rows[to], -1] * factors[to]
        for j, of in enumerate("xyz"):
            if of in rows:
                affine[i, j] = space.matrix[rows[to], rows[of]] * factors[to]
    return affine


def _beside(annotations: Annotations) -> dict[str, Any]:
    return {
        "name": annotations.name,
        "axes": list(annotations.space.axes),
        "objects": [
            record_detail(record) | {"rgb": list(colour_of(record))}
            for record in annotations.records
        ],
        "conversation": [
            {"speaker": turn.speaker, "text": turn.text, "labels": list(turn.labels)}
            for turn in annotations.turns
        ],
        "provenance": annotations.provenance.detail(),
    }


def _notes(annotations: Annotations, named: tuple[str, ...]) -> list[str]:
    space, notes = annotations.space, ["Phrases and the conversation are in the JSON beside it."]
    for axis, letter in zip(space.axes, named, strict=True):
        if axis != letter:
            notes.append(f"The axis {axis!r} has no name in NIfTI: it is called {letter}.")
    if list(named[:-2]) != sorted(named[:-2], key=_ORDER.index):
        notes.append("The axes are in NIfTI's order: channel, time, depth, rows, columns.")
    lengths = {space.units[named.index(axis)] for axis in "xyz" if axis in named}
    if len(lengths) > 1:
        notes.append(
            "NIfTI has one unit for depth, height and width, and not all of them are known here: "
            "where one is not, a step counts as 1."
        )
    elif space.units[-1] == PIXEL:
        notes.append("The size of a pixel is not known: a voxel is 1 long, without a unit.")
    elif "z" not in named:
        notes.append("A plane has no thickness: the voxel's is set to 1 mm.")
    if "t" in named and space.matrix[named.index("t"), -1]:
        notes.append("When the first frame was taken is not kept.")
    return notes
