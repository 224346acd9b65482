from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from napari_sa2va.cli import segment as segment_module
from napari_sa2va.engine import shared_runner
from napari_sa2va.model import Sa2VA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def segment(call: Any, tiny_folder: Path, tmp_path: Path) -> Callable[..., Any]:
    """``napari-sa2va segment`` with the tiny model, into the folder out."""

    def run(*arguments: object) -> Any:
        return call(
            "segment", *arguments, "--model", tiny_folder, "--device", "cpu", "-o", tmp_path / "out"
        )

    return run


def test_three_files_that_agree(segment: Any, image_file: Path, tmp_path: Path) -> None:
    done = segment(image_file, "--text", "the red cell", "--text", "all blue cells")
    assert done.code == 0, done.err
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "cells_labels.tif",
        "cells_objects.csv",
        "cells_overlay.png",
    ]
    labels = tifffile.imread(out / "cells_labels.tif")
    table = pd.read_csv(out / "cells_objects.csv")
    objects = table[table["label"] > 0]
    assert labels.shape == (128, 128)
    assert set(np.unique(labels)) - {0} == set(objects["label"])
    counts = np.bincount(labels.ravel())
    assert [counts[label] for label in objects["label"]] == objects["labelled_px"].tolist()
    assert (objects["labelled_px"] <= objects["area_px"]).all()
    assert objects["score"].between(0.5, 1).all()
    assert set(table["phrase"]) == {"the red cell", "all blue cells"}
    assert table["question"][0] == "Please segment the red cell in this image."
    assert (table["model"] == "tiny").all()
    with Image.open(out / "cells_overlay.png") as overlay:
        assert overlay.size == (512, 512)
    assert "cells_labels.tif" in done.out
    # The tiny model's vocabulary has single letters only, so every word is news to it.
    *cut, taught = done.err.splitlines()
    assert taught.startswith("This model was not taught: Please, segment")
    # Nor does it know when to stop.
    assert [line.split(" is cut off")[0] for line in cut] == [
        "cells.png: the answer to 'the red cell'",
        "cells.png: the answer to 'all blue cells'",
    ]


def test_json_is_the_only_thing_on_stdout(segment: Any, image_file: Path, tmp_path: Path) -> None:
    document = segment(
        image_file, "--text", "the red cell", "--json", "--format", "csv", "--format", "tiff"
    ).json
    assert document["command"] == "segment"
    (image,) = document["images"]
    assert image["status"] == "ok"
    assert image["image"] == str(image_file)
    assert image["model"] == {"name": "tiny", "device": "cpu", "dtype": "float32"}
    assert image["files"] == {
        "csv": str(tmp_path / "out" / "cells_objects.csv"),
        "tiff": str(tmp_path / "out" / "cells_labels.tif"),
    }
    assert not (tmp_path / "out" / "cells_overlay.png").exists()
    (reply,) = image["replies"]
    assert reply["phrase"] == "the red cell"
    assert reply["complete"]
    assert reply["cut_off"]  # at the 16 tokens of these tests
    found = [label for label in reply["labels"] if label]
    assert found == [row["label"] for row in image["objects"]]
    assert image["objects"][0]["area"] is None  # a PNG does not say how large a pixel is


def test_areas_are_physical_where_the_file_says_how_large_a_pixel_is(
    segment: Any, pixels: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "scaled.tif"
    tifffile.imwrite(
        path, pixels[..., 0], imagej=True, resolution=(2, 2), metadata={"unit": "micron"}
    )
    (row, *_) = segment(path, "--text", "the cell", "--json").json["images"][0]["objects"]
    assert row["area"] == row["area_px"] / 4
    assert row["unit"] == "um^2"
    with tifffile.TiffFile(tmp_path / "out" / "scaled_labels.tif") as tif:
        assert tif.imagej_metadata["unit"] == "micron"
        assert tif.pages[0].tags["XResolution"].value == (2, 1)


def test_one_failure_does_not_stop_the_others(
    segment: Any, image_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    missing = tmp_path / "missing.tif"
    done = segment(tmp_path / "broken.png", missing, image_file, "--text", "the cell", "--json")
    assert done.code == 3
    statuses = [image["status"] for image in done.json["images"]]
    assert statuses == ["failed", "failed", "ok"]
    assert "cannot be read" in done.err
    assert "There is no file" in done.err
    assert (tmp_path / "out" / "cells_labels.tif").exists()


def test_a_model_that_is_none_stops_at_once(call: Any, image_file: Path, tmp_path: Path) -> None:
    shutil.copyfile(image_file, tmp_path / "b.png")
    done = call(
        "segment", image_file, tmp_path / "b.png", "--text", "x", "--model", tmp_path, "--json"
    )
    assert done.code == 4
    assert [image["status"] for image in done.json["images"]] == ["failed", "not run"]
    assert done.err.count("config.json") == 2  # one sentence, which names it twice


def test_nothing_found(
    segment: Any, image_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Sa2VA.ask

    def without_masks(self: Sa2VA, _image: Any, *arguments: Any) -> Any:
        return short(self, None, *arguments)  # a question in words only has no masks

    monkeypatch.setattr(Sa2VA, "ask", without_masks)
    done = segment(image_file, "--text", "a unicorn")
    assert done.code == 1
    assert not tifffile.imread(tmp_path / "out" / "cells_labels.tif").any()
    (row,) = pd.read_csv(tmp_path / "out" / "cells_objects.csv").to_dict("records")
    assert (row["label"], row["phrase"], row["area_px"]) == (0, "a unicorn", 0)
    assert row["answer"]


def test_ctrl_c_keeps_what_is_finished(
    segment: Any, image_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(image_file, tmp_path / "second.png")
    shutil.copyfile(image_file, tmp_path / "third.png")
    short, asked = Sa2VA.ask, []

    def pressing(self: Sa2VA, *arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) == 4:  # the second question about the second image
            os.kill(os.getpid(), signal.SIGINT)
        return short(self, *arguments)

    monkeypatch.setattr(Sa2VA, "ask", pressing)
    handler = signal.getsignal(signal.SIGINT)
    texts = ("--text", "one", "--text", "two")
    done = segment(image_file, tmp_path / "second.png", tmp_path / "third.png", *texts, "--json")
    assert signal.getsignal(signal.SIGINT) is handler
    assert done.code == 130
    first, second, third = done.json["images"]
    assert [first["status"], second["status"], third["status"]] == ["ok", "cancelled", "not run"]
    assert [reply["complete"] for reply in second["replies"]] == [True, False]
    assert (tmp_path / "out" / "second_labels.tif").exists()
    assert not (tmp_path / "out" / "third_labels.tif").exists()


def test_two_images_of_one_name_are_refused(segment: Any, image_file: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    shutil.copyfile(image_file, tmp_path / "b" / "cells.png")
    done = segment(image_file, tmp_path / "b" / "cells.png", "--text", "x")
    assert done.code == 3
    assert "same files" in done.err
    assert not (tmp_path / "out").exists()


def test_results_do_not_replace_images(call: Any, image_file: Path, tmp_path: Path) -> None:
    by_hand = tmp_path / "cells_overlay.png"
    shutil.copyfile(image_file, by_hand)
    before = by_hand.read_bytes()
    arguments = ("segment", image_file, by_hand, "--text", "x", "--model", tmp_path)
    done = call(*arguments, "-o", image_file.parent / "sub" / "..")
    assert (done.code, "would be written over it" in done.err) == (3, True)
    assert by_hand.read_bytes() == before
    for other in (("-o", tmp_path / "out"), ("-o", tmp_path, "--format", "tiff")):
        assert call(*arguments, *other).code == 4  # goes on to the folder that is no model


def test_only_labels_of_its_own_are_replaced(
    segment: Any, call: Any, image_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "out" / "cells_labels.tif"
    tiff = ("--text", "the cell", "--format", "tiff")
    assert segment(image_file, *tiff).code == 0
    again = ("segment", image_file, *tiff, "--model", tmp_path, "-o", path.parent)
    assert call(*again).code == 4  # goes on to the folder that is no model
    tifffile.imwrite(path, tifffile.imread(path), imagej=True)  # by another program
    before = path.read_bytes()
    done = call(*again)
    assert (done.code, "was not written by `napari-sa2va segment`" in done.err) == (3, True)
    assert path.read_bytes() == before
    assert call(*again, "-o", tmp_path).code == 4


def test_planes_and_channels_are_chosen(segment: Any, pixels: np.ndarray, tmp_path: Path) -> None:
    stack = np.zeros((3, 2, 128, 128), np.uint8)
    stack[2, 1] = pixels[..., 0]
    tifffile.imwrite(tmp_path / "stack.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    Image.fromarray(pixels[..., 0]).save(tmp_path / "plane.png")
    path = tmp_path / "stack.tif"
    ways: list[tuple[Any, ...]] = [
        (path, "--index", "2,1"),
        (path, "--index", "2", "--channel", "1"),
        (tmp_path / "plane.png",),
    ]
    found = [
        segment(*way, "--text", "the cell", "--json").json["images"][0]["objects"] for way in ways
    ]
    for one, two in zip(found[0], found[1], strict=True):
        assert one["area_px"] == two["area_px"]
    assert [row["area_px"] for row in found[0]] == [row["area_px"] for row in found[2]]

    no_plane = segment(path, "--index", "7,0", "--text", "x")
    assert no_plane.code == 3
    assert "no plane 7" in no_plane.err
    no_channel = segment(tmp_path / "plane.png", "--channel", "0", "--text", "x")
    assert no_channel.code == 3
    assert "single plane" in no_channel.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--text", " "), "Type what to segment"),
        (("--text", "x", "--contrast", "5"), "Contrast limits"),
        (("--text", "x", "--index", "a"), "whole numbers"),
        (("--text", "x", "--format", "bmp"), "bmp"),
        ((), "--text"),
    ],
)
def test_a_wrong_command_line(
    segment: Any, image_file: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = segment(image_file, *arguments)
    assert done.code == 2
    assert words in done.err


def test_a_folder_that_cannot_be_written(
    call: Any, image_file: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = call(
        "segment", image_file, "--text", "x", "--model", tiny_folder, "-o", tmp_path / "file"
    )
    assert done.code == 3
    assert "could not be written" in done.err


def test_a_folder_that_cannot_be_written_is_told_before_the_work(
    call: Any, image_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = call("segment", image_file, "--text", "x", "--model", tmp_path, "-o", tmp_path / "file")
    assert done.code == 3  # not 4: the folder is no model, but nobody has looked
    assert done.err.count("\n") == 1


def test_an_image_that_is_done_with_is_forgotten(
    segment: Any, image_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    monkeypatch.setattr(
        segment_module,
        "write_files",
        lambda *_: held.append(shared_runner()._model._cache.bytes_held) or {},
    )
    assert segment(image_file, "--text", "the cell").code == 0
    assert held[0] > 0
    assert shared_runner()._model._cache.bytes_held == 0


def test_a_folder_in_place_of_an_image_is_named(call: Any, tmp_path: Path) -> None:
    done = call("segment", ".", "--text", "x", "-o", tmp_path)
    assert done.code == 3
    assert done.err.startswith(".: . is a folder")


def test_quiet_says_nothing(segment: Any, image_file: Path) -> None:
    done = segment(image_file, "--text", "the cell", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
