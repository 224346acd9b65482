"""Annotations with a bit of everything, to be written in every format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.annotation import ObjectRecord, Turn
from napari_sa2va.annotation.session import About, ImageInfo, LabelsInfo, create_session
from napari_sa2va.annotation.session.pixels import pack_boxes
from napari_sa2va.frames import Channel
from napari_sa2va.io.export.annotations import Annotations
from napari_sa2va.io.export.pictures import Pictures
from napari_sa2va.io.export.provenance import Provenance, UsedModel
from napari_sa2va.io.export.space import space_of

if TYPE_CHECKING:
    from pathlib import Path

PHRASES = {1: "the large red cell", 2: "分裂 <b>& ü", 5: "all green cells"}


def record(label: int, **changes: Any) -> ObjectRecord:
    made = ObjectRecord(
        label,
        PHRASES.get(label, ""),
        "Sure, it is [SEG].",
        0.5 + label / 100,
        0.75,
        12.0,
        "µm²",
        "demo",
        "2026-11-23T05:00:00+00:00",
    )
    return replace(made, **changes)


def array() -> np.ndarray:
    """Labels 1, 2 and 5 in three planes; 2 has a hole and two parts, 5 is in the last plane."""
    labels = np.zeros((3, 40, 50), np.int32)
    labels[0, 2:12, 3:20] = 1
    labels[1, 4:14, 5:20] = 1
    labels[0:2, 20:34, 10:30] = 2
    labels[0:2, 24:28, 14:20] = 0
    labels[0:2, 36:39, 40:48] = 2
    labels[2, 0:5, 45:50] = 5
    return labels


def pictures(shape: tuple[int, ...]) -> Pictures:
    image = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    return Pictures(("gray",), (image,), (Channel((0.0, float(image.max()))),), (False,))


RECORDS = (record(1), record(2, color="#ff8800", note="zwei Kerne"), record(5, author="user"))
TURNS = (Turn("you", "Where is it?"), Turn("demo", "<script>alert(1)</script> ■ 1.", (1,)))
PROVENANCE = Provenance(
    (UsedModel("demo", "cpu", "float32", "sha256:abc", ""),), {"ask": {"runs": 2}}, "0.1", "now"
)


@pytest.fixture
def stack() -> Annotations:
    """Three frames, 30 s apart, of pixels of 0.5 by 0.25 µm."""
    shown = {"scale": [30.0, 0.5, 0.25], "units": ["second", "micrometer", "micrometer"]}
    return Annotations(
        "my cells/日本",
        array(),
        space_of((), shown, 3),
        RECORDS,
        TURNS,
        PROVENANCE,
        pictures((3, 40, 50)),
    )


@pytest.fixture
def plane(stack: Annotations) -> Annotations:
    """The first plane of it, in pixels."""
    return replace(
        stack,
        name="one",
        labels=array()[0],
        space=space_of((), {}, 2),
        records=RECORDS[:2],
        pictures=pictures((40, 50)),
    )


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A session with the same objects, about an image that lies beside it."""
    np.save(tmp_path / "cells.npy", np.arange(6000, dtype=np.uint16).reshape(3, 40, 50))
    shown = {"scale": [30.0, 0.5, 0.25], "units": ["second", "micrometer", "micrometer"]}
    image = ImageInfo(
        "cells",
        path=str(tmp_path / "cells.npy"),
        shape=(3, 40, 50),
        dtype="uint16",
        shown={"contrast_limits": [0.0, 6000.0], "colormap": "gray"},
    )
    labels = array()
    about = About((image,), LabelsInfo("cells · Sa2VA", labels.shape, "int32", shown))
    made = create_session(tmp_path, "cells", about)
    used = {"name": "demo", "device": "cpu", "dtype": "float32", "weights": "sha256:abc"}
    detail = {"request": "track", "track": {"method": "official", "keys": [0]}, "used": used}
    made.append(
        "track",
        "Track",
        boxes=tuple(pack_boxes(labels, [tuple(slice(0, n) for n in labels.shape)])),
        rows={one.label: one for one in RECORDS},
        detail=detail,
    )
    made.append("asked", turns=(0, TURNS))
    made.close()
    return made.path
