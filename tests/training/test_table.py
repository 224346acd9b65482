"""The table of what the demo must do: its figures mean what they say."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.model import Sa2VA
from napari_sa2va.model.prompts import first_question, image_string, turn
from napari_sa2va.samples import SAMPLE_EXPRESSIONS, demo_folder, sample_image
from napari_sa2va.samples.scenes import HELD_OUT_SEED
from napari_sa2va.training import measure_clips, measure_scenes
from napari_sa2va.training.conversing import converse
from napari_sa2va.training.evaluate import main
from napari_sa2va.training.measure_scenes import Scores
from napari_sa2va.training.table import LINES, as_markdown, figures

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def demo() -> Sa2VA:
    return Sa2VA.from_pretrained(demo_folder(), device="cpu", dtype="float32")


def test_seeds_are_held_out_and_apart_from_the_first_demo_s() -> None:
    for seed in (measure_scenes.SCENE_SEED, measure_clips.CLIP_SEED):
        assert seed >= HELD_OUT_SEED + 2_000_000


def test_bounds_of_the_table() -> None:
    scores = Scores()
    for value in (1.0, 0.5):
        scores.add("IoU position", value)
        scores.add("present refused", value / 10)
        scores.add("counts", value)
    found = {figure.line.what: figure for figure in figures(scores)}
    assert found["IoU, position"].value == 0.75
    assert (found["IoU, position"].count, found["IoU, position"].verdict) == (2, "must")
    assert found["present objects refused"].verdict == "must"  # 7.5 %, of 15 and 3
    assert found["counts right, up to 6"].verdict == ""  # no must, and short of the aim
    assert math.isnan(found["IoU, plural"].value)
    assert found["IoU, plural"].verdict == ""
    assert as_markdown(found.values()).count("\n") == 1 + len(LINES)


def test_cells_that_cross_are_apart_before_and_after_and_meet_between() -> None:
    for number in range(3):
        clip, masks = measure_clips.crossing_clip(number, 12)
        pair = [[scene.cells[i] for i in clip.crossing[0]] for scene in clip.scenes]
        gaps = [math.dist((a.x, a.y), (b.x, b.y)) for a, b in pair]
        both = pair[0][0].reach + pair[0][1].reach
        assert gaps[0] >= both <= gaps[-1]
        assert min(gaps) < both / 2
        assert masks.shape == (12, 2, *measure_clips.SIZE)
        assert masks[[0, -1]].any(axis=(2, 3)).all()


def test_one_turn_is_the_same_as_asking(demo: Sa2VA) -> None:
    question = f"Please segment {SAMPLE_EXPRESSIONS[0]} in this image."
    (reply,) = converse(demo, sample_image(), [question])
    answer = demo.answer(sample_image(), question)
    assert reply.text == answer.text
    np.testing.assert_array_equal(reply.masks[0], answer.segments[0].mask)


def test_a_second_turn_is_sent_with_the_first_as_in_training(
    demo: Sa2VA, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[list[int]] = []
    looking = demo._looking
    read = looking.read

    def spy(seen: Any, ids: list[int], *others: Any) -> Any:
        sent.append(list(ids))
        return read(seen, ids, *others)

    monkeypatch.setattr(looking, "read", spy)
    questions = [f"Please segment {SAMPLE_EXPRESSIONS[0]} in this image.", "What shape is it?"]
    replies = converse(demo, sample_image(), questions)
    image = image_string(1, demo.config.tokens_per_tile)
    text = turn(first_question(questions[0]).replace("<image>", image))
    text += f"{replies[0].text}<|im_end|>\n{turn(questions[1])}"
    assert sent[1] == demo._tokenizer.encode(text)


def test_the_command_fills_every_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    small = ["--scenes", "1", "--clips", "1", "--frames", "3", "--device", "cpu"]
    main([*small, "--json", str(file)])
    rows = {row["what"]: row for row in json.loads(file.read_text(encoding="utf-8"))}
    assert list(rows) == [line.what for line in LINES]
    said = capsys.readouterr().out
    assert all(line.what in said for line in LINES)
    for what in ("box to mask, IoU", "J, mask in the middle, both directions"):
        assert rows[what]["count"]
        assert rows[what]["value"] > 0.5  # the first demo can do these on the new scenes, too
