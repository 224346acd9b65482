"""Fine-tuning folders: what is read is what was written, and bad ones are not trained on."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import Channel
from napari_sa2va.io.export import export
from napari_sa2va.io.export.annotations import Annotations
from napari_sa2va.io.export.pictures import Pictures
from napari_sa2va.io.export.space import space_of
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.samples.world.shifted import make_shifted
from napari_sa2va.training.demo_config import demo_config
from napari_sa2va.training.folder import Example, held_out, read_folder
from napari_sa2va.training.folder_batches import FolderBatches, _names_a_place, _varied
from napari_sa2va.training.folder_writing import write_folder
from napari_sa2va.training.vocabulary import build_tokenizer, with_words

_SQUARE = [2.0, 2.0, 8.0, 2.0, 8.0, 8.0, 2.0, 8.0]


def _written(folder: Path, **changes: Any) -> Path:
    """A folder of one image of 20 x 10 pixels with two objects, and something changed."""
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (20, 10)).save(folder / "images" / "a.png")
    Image.new("I;16", (20, 10)).save(folder / "images" / "deep.png")
    whole = (folder / "images" / "a.png").read_bytes()
    (folder / "images" / "cut.png").write_bytes(whole[:45])
    header = b"IHDR" + struct.pack(">II", 20_000, 20_000) + whole[24:29]
    checked = header + struct.pack(">I", zlib.crc32(header))
    (folder / "images" / "huge.png").write_bytes(whole[:12] + checked + whole[33:])
    entry = {"image": "a.png", "mask": [[_SQUARE], [_SQUARE]], "text": ["one", "two"]} | changes
    (folder / "annotations.json").write_text(json.dumps([entry]), encoding="utf-8")
    return folder


def test_our_export_comes_back_pixel_by_pixel(tmp_path: Path) -> None:
    labels = np.zeros((2, 40, 50), np.int32)
    labels[0, 2:12, 3:20] = 1
    labels[:, 20:34, 10:30] = 2
    labels[:, 24:28, 14:20] = 0  # a hole
    labels[:, 36:39, 40:48] = 2  # and a second part
    labels[1, 0:5, 45:50] = 3
    image = np.arange(labels.size, dtype=np.uint16).reshape(labels.shape)
    phrases = ("The  large red cell.", "分裂 ü", "the large red cell")
    records = tuple(
        ObjectRecord(n, phrase, "", 1.0, 1.0, 1.0, "px", "demo", "now")
        for n, phrase in enumerate(phrases, start=1)
    )
    pictures = Pictures(("gray",), (image,), (Channel((0.0, 4000.0)),), (False,))
    space = space_of((), {}, 3)
    export(Annotations("c", labels, space, records, pictures=pictures), "finetuning", tmp_path)
    for plane, example in zip(labels, read_folder(tmp_path), strict=True):
        assert example.pixels().shape == (40, 50, 3)
        found = dict(zip(example.texts, example.meant, strict=True))
        assert set(found) == {"the large red cell", "分裂 ü"}
        for text, values in (("the large red cell", (1, 3)), ("分裂 ü", (2,))):
            mask = example.masks(found[text]).any(axis=0)
            np.testing.assert_array_equal(mask, np.isin(plane, values))
        coarse = example.masks(found["分裂 ü"], (20, 25))[0]
        np.testing.assert_array_equal(coarse[10:17, 5:10], (plane == 2)[20:34:2, 10:20:2])


def test_objects_of_one_phrase_are_meant_together_and_small_ones_stay(tmp_path: Path) -> None:
    dot = [3.0, 3.0, 3.2, 3.0, 3.2, 3.2]
    (example,) = read_folder(
        _written(tmp_path, mask=[[_SQUARE], [dot]], text=["A cell", "a cell."])
    )
    assert (example.texts, example.meant) == (("a cell",), ((0, 1),))
    assert example.masks([1]).sum() == 1
    example.image.write_bytes(b"damaged since")
    with pytest.raises(InvalidInput, match=r"a\.png cannot be read"):
        example.pixels()


def test_entries_of_one_image_are_taken_together(tmp_path: Path) -> None:
    beside = [x + 9.0 if at % 2 == 0 else x for at, x in enumerate(_SQUARE)]
    entries = [
        {"image": "a.png", "mask": [[_SQUARE]], "text": ["cell"]},
        {"image": "a.png", "mask": [[_SQUARE], [beside]], "text": ["the left one", "Cell."]},
    ]
    (_written(tmp_path) / "annotations.json").write_text(json.dumps(entries), encoding="utf-8")
    (example,) = read_folder(tmp_path)
    assert (example.texts, example.meant) == (("cell", "the left one"), ((0, 2), (1,)))
    assert example.masks(example.meant[0]).any(axis=0).sum() == 72
    assert example.masks(example.meant[1]).sum() == 36


def test_pictures_of_nothing_are_not_written(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    write_folder(str(tmp_path), [(pixels, {}), (pixels, {"a": np.ones((8, 8), bool)})])
    (example,) = read_folder(tmp_path)
    assert [file.name for file in (tmp_path / "images").iterdir()] == [example.image.name]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image": "b.png"}, "there is no image"),
        ({"image": "deep.png"}, "8 bits"),
        ({"image": "cut.png"}, "cut.png cannot be read"),
        ({"image": "huge.png"}, "huge.png cannot be read: .*exceeds limit"),
        ({"text": ["one"]}, "2 masks and 1 texts"),
        ({"text": ["one", " . "]}, "object 2 has an empty text"),
        ({"text": ["one", 7]}, "object 2 has an empty text"),
        ({"mask": [[_SQUARE], []]}, "'two'.* has no mask"),
        ({"mask": [[_SQUARE], [[1, 2, 3, 4]]]}, "three points"),
        ({"mask": [[_SQUARE], [[*_SQUARE[:-1], 30]]]}, "of another size"),
        ({"mask": [[_SQUARE], [["x"] * 6]]}, "no list of numbers"),
        ({"mask": {}}, "must be lists"),
        ({"text": [], "mask": []}, "names no object: take it out"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=f"entry 1(.|\n)*{said}"):
        read_folder(_written(tmp_path, **changes))


def test_a_folder_without_annotations_is_told_apart_from_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"has no annotations\.json"):
        read_folder(tmp_path)
    (tmp_path / "annotations.json").write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_folder(tmp_path)
    (tmp_path / "annotations.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InvalidInput, match="must hold a list"):
        read_folder(tmp_path)
    with pytest.raises(InvalidInput, match="empty"):
        write_folder(tmp_path, [(np.zeros((4, 4, 3), np.uint8), {"x": np.zeros((4, 4), bool)})])


def test_images_are_held_out_whole(tmp_path: Path) -> None:
    mask = np.ones((8, 8), bool)
    write_folder(tmp_path, ((np.zeros((8, 8, 3), np.uint8), {"a": mask}) for _ in range(5)))
    examples = read_folder(tmp_path)
    kept, out = held_out([*examples, examples[0]], 0.4)
    assert len({e.image for e in out}) == 2
    assert not {e.image for e in kept} & {e.image for e in out}
    with pytest.raises(InvalidInput, match="too few"):
        held_out(examples[:1], 0.2)


def test_batches_hold_what_the_folder_says(tmp_path: Path) -> None:
    scenes = [make_shifted(seed) for seed in range(2)]
    write_folder(
        tmp_path,
        (
            (s.image, {text: s.masks[list(meant)].any(0) for text, meant in s.phrases.items()})
            for s in scenes
        ),
    )
    examples = read_folder(tmp_path)
    tokenizer = with_words(build_tokenizer(), [f" {text}" for e in examples for text in e.texts])
    config = Sa2VAConfig.from_dict(demo_config(tokenizer.get_vocab_size()))
    batches = FolderBatches(tokenizer, config, examples, size=2, questions=3)
    batch = batches.make(4)
    assert len(batch.seg_masks) == len(batch.sequences.seg_at) == 6
    assert batch.seg_masks.flatten(1).amax(1).min() > 0.5
    assert batch.clicked_masks.flatten(1).amax(1).min() > 0
    torch.testing.assert_close(batches.make(4).images, batch.images)
    letters = [tokenizer.token_to_id(letter) for letter in "abcdefghijklmnopqrstuvwxyz"]
    assert not torch.isin(batch.sequences.ids, torch.tensor(letters)).any()
    known = build_tokenizer().get_vocab()
    assert known.items() <= tokenizer.get_vocab().items()  # old words keep their ids
    assert tokenizer.token_to_id("Ġcrescents") >= len(known)


@pytest.mark.parametrize(
    ("phrase", "named"),
    [
        ("the leftmost cell", True),
        ("the band under the ladder", True),
        ("the second row", True),
        ("the cell next to the vessel", True),
        ("lane 12", True),
        ("the 3rd somite", True),
        ("the upside of the fold", False),
        ("overlapping nuclei", False),
        ("cd45 positive cells", False),
        ("the last-born neuron", True),
        ("all apoptotic cells", False),
    ],
)
def test_images_whose_phrases_name_a_place_are_not_mirrored(phrase: str, named: bool) -> None:
    example = Example(Path("a.png"), 1, 1, (), ("the nucleus", phrase), ())
    assert _names_a_place(example) == named


def test_masks_are_turned_with_their_image() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((1, 16, 16), bool)
    mask[0, 2:5, 1:9] = True
    pixels = np.repeat(np.where(mask[0], 200, 20)[..., None], 3, axis=2).astype(np.uint8)
    seen = set()
    for _ in range(40):
        lit, turned = _varied(pixels, mask, rng, mirrored=True)
        np.testing.assert_array_equal(lit[..., 0] > 100, turned[0])
        seen.add(turned.tobytes())
    assert len(seen) == 8
    _, kept = _varied(pixels, mask, rng, mirrored=False)
    np.testing.assert_array_equal(kept, mask)
