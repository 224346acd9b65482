"""Training on the richer world: what it shows the model, what a step teaches, how stages go on."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_sa2va.errors import CheckpointError, InvalidInput
from napari_sa2va.model import Sa2VA
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.prompts import first_question, image_string, region_string, turn
from napari_sa2va.samples import SAMPLE_EXPRESSIONS, demo_folder, sample_image
from napari_sa2va.samples.world.motion import make_clip
from napari_sa2va.training import clicks, loop, stage_run, world_clips
from napari_sa2va.training.demo import main
from napari_sa2va.training.demo_config import demo_config
from napari_sa2va.training.dialogues import FOUND, REFUSAL, Dialogue, Turn
from napari_sa2va.training.growing import start_from
from napari_sa2va.training.image_batch import soft
from napari_sa2va.training.image_step import image_step
from napari_sa2va.training.losses import AuxiliaryHeads, present_mask_loss
from napari_sa2va.training.stages import STAGES
from napari_sa2va.training.steps import run_language
from napari_sa2va.training.trees import TreeBuilder
from napari_sa2va.training.vocabulary import build_tokenizer
from napari_sa2va.training.weights import LossWeights
from napari_sa2va.training.world_batches import ALL_CLASSES, WorldBatches
from napari_sa2va.training.world_clips import LOOKED_AT, MOST_FRAMES, ClipBatches, clip_batch_step

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.training.growing import Start

_TOKENIZER = build_tokenizer()
_CONFIG = Sa2VAConfig.from_dict(demo_config(_TOKENIZER.get_vocab_size()))
_DIALOGUES = [
    Dialogue(
        (
            Turn("Please segment the red cell in this image.", FOUND, "color", ((0,),), (0,)),
            Turn("What shape is it?", "It is round.", "follow-up", points_at=(0,)),
        )
    ),
    Dialogue((Turn("Is region1 larger than region2?", "Yes.", "comparison"),), (1, 0)),
    Dialogue((Turn("Please segment the dog in this image.", REFUSAL, "absent", (), ()),)),
    Dialogue((Turn("Please segment the dog in this image.", FOUND, "absent", ((),)),), (), False),
]
_REGIONS = [[], [[3, 4], [7]], [], []]


@pytest.fixture(scope="module")
def start() -> Start:
    torch.manual_seed(0)
    begun = start_from(demo_folder())
    begun.network.train()
    begun.network.sam2.eval()
    return begun


@pytest.mark.parametrize("tiles", [1, 3])
def test_every_branch_is_the_prompt_that_inference_builds(tiles: int) -> None:
    builder = TreeBuilder(_TOKENIZER, _CONFIG, tiles)
    tree = builder.tree(_DIALOGUES, _REGIONS)
    pairs = list(zip(_DIALOGUES, _REGIONS, strict=True))
    for number, (dialogue, regions) in enumerate(pairs, start=1):
        image = image_string(tiles, _CONFIG.tokens_per_tile)
        image += region_string([len(r) for r in regions]) if regions else ""
        first, *later = dialogue.turns
        text = turn(first_question(first.question).replace("<image>", image))
        text += f"{first.answer}<|im_end|>\n"
        for asked in later:
            text += f"{turn(asked.question)}{asked.answer}<|im_end|>\n"
        both = zip(tree.ids, tree.branch, strict=True)
        assert [i for i, branch in both if branch in (0, number)] == _TOKENIZER.encode(text).ids
        labels = zip(tree.labels, tree.branch, strict=True)
        wanted = [label for label, branch in labels if branch == number and label >= 0]
        answers = [_TOKENIZER.encode(f"{t.answer}<|im_end|>").ids for t in dialogue.turns]
        assert wanted == ([i for answer in answers for i in answer] if dialogue.spoken else [])
    seg = _TOKENIZER.token_to_id("[SEG]")
    assert [tree.ids[place] for place in tree.seg_at] == [seg, seg]
    offset = (tiles - 1) * _CONFIG.tokens_per_tile  # of the thumbnail, which regions point into
    assert tree.region_token == [offset + 3, offset + 4, offset + 7]
    newline = _TOKENIZER.encode("assistant\n").ids[-1]
    assert [tree.ids[place] for place in tree.prompt_at] == [newline] * 3


def test_branches_do_not_see_each_other(start: Start) -> None:
    """A question among others gets the states that it gets alone."""
    builder = TreeBuilder(_TOKENIZER, start.network.config)
    width = start.network.config.width
    tokens = torch.randn(1, start.network.config.tokens_per_tile, width)
    together = builder.batch([builder.tree(_DIALOGUES, _REGIONS)])
    alone = builder.batch([builder.tree(_DIALOGUES[2:3], _REGIONS[2:3])])
    with torch.inference_mode():
        many, _ = run_language(start.network, together, tokens)
        one, _ = run_language(start.network, alone, tokens)
    torch.testing.assert_close(many[together.branch == 3], one[alone.branch == 1])


def test_batches_of_tiles_fit_their_images() -> None:
    batches = WorldBatches(_TOKENIZER, _CONFIG, 0, size=2, questions=4, tiled=1.0)
    batch = batches.make(range(2))
    tiles = len(batch.tiles) // 2
    assert tiles == _CONFIG.max_tiles + 1
    assert len(batch.sequences.image_at) == tiles * _CONFIG.tokens_per_tile
    assert batch.token_classes.shape == (2, len(ALL_CLASSES), tiles * _CONFIG.tokens_per_tile)
    # A tile does not show how large the image is, nor where in it the tile was; the last one does.
    named = (batch.token_classes.reshape(2, len(ALL_CLASSES), tiles, -1) >= 0).any(-1).any(0)
    assert named[:, -1].all()
    assert named[:, :-1].any(1).tolist() == [True, False, True, True, False, False]
    assert len(batch.seg_masks) == len(batch.sequences.seg_at)
    assert len(batch.prompt_masks) == len(batch.sequences.prompt_at)
    again = batches.make(range(2))
    torch.testing.assert_close(again.images, batch.images)
    torch.testing.assert_close(again.sequences.ids, batch.sequences.ids)


def test_a_stage_has_the_demo_s_words_and_sizes(start: Start) -> None:
    config = start.network.config
    assert config.language["vocab_size"] == len(_vocabulary())
    assert (config.max_tiles, config.sam2) == (_CONFIG.max_tiles, _CONFIG.sam2)


def test_a_grown_checkpoint_says_what_it_said(tmp_path: Path) -> None:
    grown_only = start_from(demo_folder(), as_it_is=True)
    options = stage_run.Options(hours=1)
    run = stage_run.StageRun(grown_only, STAGES["all"], options, tmp_path, torch.device("cpu"))
    run.export(tmp_path / "checkpoint")
    grown = Sa2VA.from_pretrained(tmp_path / "checkpoint", device="cpu", dtype="float32")
    shipped = Sa2VA.from_pretrained(demo_folder(), device="cpu", dtype="float32")
    image = sample_image()
    for question in (*SAMPLE_EXPRESSIONS, "the yellow cell", "the dog"):
        text = f"Please segment {question} in this image."
        ours, theirs = grown.answer(image, text), shipped.answer(image, text)
        assert ours.raw == theirs.raw
        for one, other in zip(ours.segments, theirs.segments, strict=True):
            np.testing.assert_array_equal(one.mask, other.mask)
    size = sum(file.stat().st_size for file in (tmp_path / "checkpoint").iterdir())
    assert size < 16 * 2**20


def test_a_stage_starts_from_nothing_or_from_a_demo_checkpoint_only(tmp_path: Path) -> None:
    begun = start_from(None)
    assert begun.network.config.max_tiles == _CONFIG.max_tiles
    assert begun.settings["llm_config"]["vocab_size"] == len(_vocabulary())
    for file in demo_folder().iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, "name": "mine"}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="not a demo checkpoint"):
        start_from(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    words = (tmp_path / "tokenizer.json").read_text(encoding="utf-8").replace("Ġbig", "Ġhuge")
    (tmp_path / "tokenizer.json").write_text(words, encoding="utf-8")
    with pytest.raises(CheckpointError, match="other words"):
        start_from(tmp_path)


def _vocabulary() -> dict[str, int]:
    return _TOKENIZER.get_vocab()


def test_steps_on_one_batch_lower_its_loss(start: Start) -> None:
    torch.manual_seed(0)
    heads, weights = AuxiliaryHeads(start.network.config, ALL_CLASSES), LossWeights()
    batches = WorldBatches(start.tokenizer, start.network.config, 0, size=1, questions=3, tiled=0)
    batch = batches.make(range(1))
    before = {name: p.detach().clone() for name, p in start.network.named_parameters()}
    parameters = [*start.network.parameters(), *heads.parameters()]
    optimizer, totals = torch.optim.AdamW(parameters, lr=5e-4), []
    for _ in range(4):
        result = image_step(start.network, heads, batch, weights)
        assert {"language", "clicks", "presence", "mask", "classes"} <= result.losses.keys()
        total = torch.stack(list(result.losses.values())).sum()
        totals.append(float(total.detach()))
        optimizer.zero_grad()
        torch.autograd.backward(total)
        optimizer.step()
    assert totals[-1] < 0.85 * totals[0]
    with torch.no_grad():
        for name, parameter in start.network.named_parameters():
            parameter.copy_(before[name])


@pytest.mark.parametrize("words", [False, True], ids=["memory", "words"])
def test_a_clip_teaches_memory_but_not_the_encoders(words: bool, start: Start) -> None:
    config = start.network.config
    batches = ClipBatches(start.tokenizer, config, 3, clips=2, frames=2, questions=2)
    batch = batches.with_words(8) if words else batches.make(8)
    if words:
        assert batch.seg_masks.shape[0] == len(batch.images) == LOOKED_AT + 1
        assert batch.seg_masks.shape[1] == len(batch.sequences.seg_at) > 0  # type: ignore[union-attr]
    else:
        assert batch.cells.shape[:2] == (2, 6)
        assert batch.cells[0].flatten(1).amax(1).min() > 0.5
    start.network.zero_grad(set_to_none=True)
    result = clip_batch_step(start.network, batch, LossWeights())
    torch.autograd.backward(torch.stack(list(result.losses.values())).sum())
    taught = {name for name, p in start.network.named_parameters() if p.grad is not None}
    for part in ("memory_attention", "memory_encoder", "sam_mask_decoder"):
        assert any(part in name for name in taught), part
    assert any("language_model" in name for name in taught) == words
    assert not any("image_encoder" in name or "vision_model" in name for name in taught)
    start.network.zero_grad(set_to_none=True)


def test_clicks_are_not_taught_to_a_decoder_that_does_not_answer_them(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"size": 2, "questions": 2}
    batch = WorldBatches(start.tokenizer, start.network.config, 5, **sizes).make(range(5, 7))
    with torch.no_grad():
        assert "clicks" in image_step(start.network, None, batch, LossWeights()).losses
        other = start.network.sam2.sam_mask_decoder
        monkeypatch.setattr(start.network.sam2, "original_mask_decoder", other)
        losses = image_step(start.network, None, batch, LossWeights()).losses
    assert "clicks" not in losses and "mask" in losses and "presence" in losses


def test_a_part_of_a_clip_may_skip_frames_and_shows_the_crossing() -> None:
    clip = make_clip(5, 24, (128, 128), "cross")
    i, j = clip.crossing[0]
    gaps = [
        math.dist((scene.cells[i].x, scene.cells[i].y), (scene.cells[j].x, scene.cells[j].y))
        for scene in clip.scenes
    ]
    seen = 0
    for seed in range(8):
        masks, numbers = world_clips._part(clip, 6, np.random.default_rng(seed), 32, 3)
        assert len(numbers) == len(masks) == 6
        assert (numbers.step, numbers[-1] - numbers[0]) == (3, 15)
        wanted = soft(clip.scenes[numbers[-1]].masks((128, 128)), 32)
        torch.testing.assert_close(masks[-1], wanted)
        seen += numbers[0] <= int(np.argmin(gaps)) <= numbers[-1]
    assert seen >= 4  # of 8; six in ten are there on purpose
    longest = max(world_clips._STRIDES)
    whole = world_clips._part(clip, MOST_FRAMES, np.random.default_rng(0), 32, longest)[1]
    assert whole[-1] < 24


@pytest.mark.parametrize("wrong", [("--hours", "0"), ("--clip-frames", str(MOST_FRAMES + 1))])
def test_what_no_stage_can_do_is_no_option(wrong: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*wrong, "--folder", "not written"])
    assert ended.value.code == 2


def test_steps_run_in_bfloat16_as_on_a_gpu(start: Start) -> None:
    """Forward only: on a CPU without the instructions for it, going back takes half a minute."""
    heads = AuxiliaryHeads(start.network.config, ALL_CLASSES)
    clips = ClipBatches(start.tokenizer, start.network.config, 3, clips=1, frames=2)
    images = WorldBatches(start.tokenizer, start.network.config, 0, size=1, questions=2, tiled=0)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        results = [
            clip_batch_step(start.network, clips.make(8), LossWeights()),
            image_step(start.network, heads, images.make(range(1)), LossWeights()),
        ]
    assert all(bool(loss.isfinite()) for one in results for loss in one.losses.values())


def test_boxes_are_as_fine_as_soft_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clicks, "_SHAKE", 0.0)
    fine = np.zeros((2, 64, 64), bool)
    fine[0, 10:17, 20:31] = True
    y, x = np.ogrid[:64, :64]
    fine[1] = np.hypot(x + 0.5 - 33, y + 0.5 - 30) < 10.5
    corners = clicks._boxes(soft(fine, 16), 4.0)
    torch.testing.assert_close(corners[0], torch.tensor([[20.0, 10.0], [31.0, 17.0]]))
    assert (corners[1] - torch.tensor([[22.5, 19.5], [43.5, 40.5]])).abs().max() <= 1


def test_absence_is_taught() -> None:
    masks = torch.zeros(2, 8, 8)
    masks[0, :4] = 1
    logits, ious = torch.full((2, 4, 8, 8), 3.0), torch.ones(2, 4)
    right, wrong = torch.tensor([[4.0], [-4.0]]), torch.tensor([[4.0], [4.0]])
    assert present_mask_loss(logits, ious, right, masks)[1] < 0.1
    assert present_mask_loss(logits, ious, wrong, masks)[1] > 1
    emptied = logits.clone()
    emptied[1] = -9
    losses = [present_mask_loss(x, ious, right, masks)[0] for x in (logits, emptied)]
    assert losses[1] < losses[0] - 1


def test_clip_steps_come_in_their_share() -> None:
    for stage in STAGES.values():
        steps = [stage.is_clip_step(step) for step in range(400)]
        assert np.mean(steps) == pytest.approx(stage.clip_share, abs=0.01)
        assert stage.schedule.rate_at(10**6, 1.0) == pytest.approx(stage.rate * stage.final_share)
    assert STAGES["look"].with_mix(["count=0.5"]).mix["count"] == 0.5
    with pytest.raises(InvalidInput, match="no kind 'counts'"):
        STAGES["look"].with_mix(["counts=0.5"])
    assert LossWeights().changed(["clicks=2"]).clicks == 2
    with pytest.raises(InvalidInput, match="no loss 'click'"):
        LossWeights().changed(["click=2"])


def test_the_command_trains_saves_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_LOG_EVERY", 1)
    monkeypatch.setattr("napari_sa2va.training.finetune.signal.signal", lambda *_: None)
    small = ["--images", "1", "--questions", "2", "--clips", "1", "--workers", "0"]
    small += ["--device", "cpu", "--threads", "1", "--clip-share", "0.5", "--tiled", "0"]
    small += ["--folder", str(tmp_path / "look"), "--stage", "look"]
    main([*small, "--hours", "0.0004"])
    state = torch.load(tmp_path / "look" / "state.pt", weights_only=True)
    assert state["step"] >= 1
    main([*small, "--hours", str(state["seconds"] / 3600 + 0.0002)])
    rows = [json.loads(s) for s in (tmp_path / "look" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) > state["step"]
    trained = Sa2VA.from_pretrained(tmp_path / "look" / "checkpoint").config
    assert (trained.max_tiles, trained.sam2) == (_CONFIG.max_tiles, _CONFIG.sam2)
    then = ["--stage", "talk", "--start", str(tmp_path / "look"), "--folder", str(tmp_path / "t")]
    main([*then, "--hours", "1", "--export-only", "--device", "cpu", "--threads", "1"])
    assert (tmp_path / "t" / "checkpoint" / "model.safetensors").is_file()

    talk = stage_run.StageRun(
        start_from(tmp_path / "look" / "checkpoint"),
        STAGES["talk"],
        stage_run.Options(1.0),
        tmp_path / "again",
        torch.device("cpu"),
    )
    talk.take_up(tmp_path / "look" / "state.pt")
    last = torch.load(tmp_path / "look" / "state.pt", weights_only=True)
    for name, value in talk.network.state_dict().items():
        assert torch.equal(value, last["network"][name]), name
    known = talk.loop.optimizer.state_dict()["state"]
    assert known.keys() == last["optimizer"]["state"].keys()
    assert all(
        torch.equal(known[i]["exp_avg"], m["exp_avg"])
        for i, m in last["optimizer"]["state"].items()
    )
    assert talk.loop.step == 0
