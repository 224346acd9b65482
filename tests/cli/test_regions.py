"""Planes of label stacks, and what stays of descriptions when one fails; no model is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_sa2va.cli.images import ImageOptions
from napari_sa2va.cli.regions import read_regions
from napari_sa2va.engine import QuestionDone, Runner
from napari_sa2va.errors import InvalidInput, NotEnoughMemory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Label 7 in the last of three time points; its image has channels, too."""
    stack = np.zeros((3, 8, 8), np.uint16)
    stack[2, 2:4] = 7
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TYX"})
    return path


def test_labels_of_all_channels_lie_on_the_chosen_one(labels: Path) -> None:
    assert list(read_regions(labels, (8, 8), ImageOptions(index=(2,), channel=1))) == [7]
    with pytest.raises(InvalidInput, match="no label in this plane"):
        read_regions(labels, (8, 8), ImageOptions(channel=1))  # the plane that napari shows first


@pytest.mark.parametrize(
    ("index", "words"), [((2, 1), "say it with --channel"), ((5,), "no plane 5 along t")]
)
def test_a_plane_that_labels_lack(labels: Path, index: tuple[int, ...], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_regions(labels, (8, 8), ImageOptions(index=index))


def test_after_a_failure_the_table_has_what_was_said(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "image.npy", np.zeros((8, 8), np.uint8))
    np.save(tmp_path / "labels.npy", np.repeat([[1], [2]], 4, axis=0).repeat(8, axis=1))

    def full(*_: object) -> Iterator[QuestionDone]:
        yield QuestionDone(0, "A red cell.", (), 0)
        raise NotEnoughMemory("The memory is full.")

    monkeypatch.setattr(Runner, "run", full)
    files = (tmp_path / "image.npy", tmp_path / "labels.npy")
    done = call("describe", *files, "-o", tmp_path)
    assert (done.code, "The memory is full." in done.err) == (5, True)
    table = (tmp_path / "image_descriptions.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(table) == 2
    assert "A red cell." in table[1]
