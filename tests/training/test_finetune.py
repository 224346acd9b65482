"""Fine-tuning: any checkpoint goes on, a run is resumed, and what comes out is an ordinary one."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_sa2va.errors import CheckpointError, EngineError, InvalidInput, NotEnoughMemory
from napari_sa2va.model import Sa2VA
from napari_sa2va.model.checkpoint import load_network, official_state
from napari_sa2va.samples import demo_folder
from napari_sa2va.samples.world.shifted import make_shifted
from napari_sa2va.training import finetune, loop
from napari_sa2va.training.checking import check, check_finished, identity
from napari_sa2va.training.folder import read_folder
from napari_sa2va.training.folder_writing import write_folder
from napari_sa2va.training.loop import Loop, memory_told
from napari_sa2va.training.measure_folder import Asked, Measured
from napari_sa2va.training.optimizer import make_optimizer
from napari_sa2va.training.schedule import Cosine
from napari_sa2va.training.shifted import NEW, OLD, verdicts
from napari_sa2va.training.starting import open_checkpoint
from napari_sa2va.training.steps import StepResult
from napari_sa2va.training.trained_parts import merged
from napari_sa2va.training.tuning import Tuning, TuningRun
from napari_sa2va.training.weights import LossWeights

if TYPE_CHECKING:
    from collections.abc import Callable

_CPU = torch.device("cpu")
_QWEN = Path(__file__).parents[1] / "data" / "golden" / "qwen3_vl"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of the shifted domain, two phrases each."""
    folder = tmp_path_factory.mktemp("data")
    scenes = [make_shifted(seed) for seed in range(3)]
    write_folder(
        folder,
        (
            (s.image[:100, :100], {text: s.masks[list(meant)].any(0)[:100, :100]})
            for s in scenes
            for text, meant in list(s.phrases.items())[:1]
        ),
    )
    return folder


def _one_step(run: TuningRun) -> None:
    run.loop.minutes = (run.loop.seconds + 0.001) / 60
    run.train()


def test_parts_and_lora_of_any_checkpoint_are_trained_and_merged(
    tiny_folder: Path, data: Path, tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    tuning = Tuning(
        tiny_folder, tmp_path, train="parts", lora=2, rate=1e-2, warm_up=0, images=1, workers=0
    )
    examples = read_folder(data)
    run = TuningRun(tuning, examples, (), _CPU)
    _one_step(run)
    assert run.loop.step == 1
    old = load_network(tiny_folder)
    before = official_state(old, torch.float32)
    saved = load_network(tmp_path / "checkpoint")  # an ordinary folder: no name of LoRA's in it
    after = official_state(saved, torch.float32)
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    for part in ("mlp1", "text_hidden_fcs", "sam_mask_decoder", "q_proj.weight", "up_proj"):
        assert any(part in name for name in changed), part
    for part in ("vision_model", "image_encoder", "embed_tokens", "lm_head", "layernorm"):
        assert not any(part in name for name in changed), part
    # The merged network says what the one with LoRA says; and the run's own weights stay.
    ids = torch.arange(5)[None]
    run.network.eval()
    base = run.network.language_model.model.layers[0].self_attn.q_proj.base_layer
    kept = base.weight
    with torch.no_grad():
        torch.testing.assert_close(
            saved.language_model(ids).logits,
            run.network.language_model(ids).logits,
            rtol=1e-3,
            atol=1e-4,
        )
        with merged(run.network, torch.float16):
            assert not any("lora" in name for name in run.network.state_dict())
            # What is added up needs no room beside the weights that are trained.
            assert base.weight.dtype == torch.float16
    assert base.weight is kept
    # Resumed, it goes on with the same weights; as another run, it does not.
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert len(state["network"]) < len(after) / 2
    again = TuningRun(replace(tuning, images=2), examples, (), _CPU)
    assert again.loop.step == 1
    with torch.no_grad():
        for one, other in zip(again.network.parameters(), run.network.parameters(), strict=True):
            torch.testing.assert_close(one, other)
    with pytest.raises(InvalidInput, match="other lora"):
        TuningRun(replace(tuning, lora=3), examples, (), _CPU)


def test_a_finished_run_says_that_nothing_is_trained(
    tiny_folder: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    examples = read_folder(data)
    tuning = Tuning(tiny_folder, tmp_path, train="parts", images=1, workers=0)
    _one_step(TuningRun(tuning, examples, (), _CPU))
    assert "nothing is trained" not in caplog.text
    finished = replace(tuning, minutes=1e-6)
    again = TuningRun(finished, examples, (), _CPU)
    again.train()
    assert again.loop.step == 1
    assert "is finished: nothing is trained. Give more --minutes" in caplog.text
    others = replace(finished, images=2, weights=LossWeights(mask=2.0))
    with pytest.raises(InvalidInput, match="is trained with another --images, --loss"):
        check_finished(others)
    kept = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert kept.pop("recipe")["--images"] == 1
    (tmp_path / "run.json").write_text(json.dumps(kept), encoding="utf-8")  # of an earlier version
    check_finished(others)


def test_what_is_rehearsed_is_trained_on(tiny_folder: Path, data: Path, tmp_path: Path) -> None:
    tuning = Tuning(tiny_folder, tmp_path, train="parts", rehearsed=1.0, images=1, workers=0)
    run = TuningRun(tuning, read_folder(data), read_folder(data), _CPU)
    _one_step(run)
    assert run.loop.step == 1


def test_what_does_not_go_together_is_said(tiny_folder: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--train parts"):
        Tuning(tiny_folder, tmp_path, lora=4)
    with pytest.raises(InvalidInput, match="world of its own"):
        TuningRun(Tuning(tiny_folder, tmp_path, rehearsed=0.5), read_folder(data), (), _CPU)
    with pytest.raises(InvalidInput, match="on a Qwen-VL"):
        open_checkpoint(_QWEN, [])
    with pytest.raises(CheckpointError):
        TuningRun(Tuning(tmp_path, tmp_path / "run"), read_folder(data), (), _CPU)


def test_a_mistaken_command_is_refused_before_it_measures(
    tiny_folder: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("napari_sa2va.training.finetune.signal.signal", lambda *_: None)
    monkeypatch.setattr(finetune, "measure_checkpoint", lambda *_: pytest.fail("it measured"))
    monkeypatch.setattr("napari_sa2va.training.checking.find_spec", lambda _: None)
    examples, tuning = read_folder(data), Tuning(tiny_folder, tmp_path / "run")
    for wrong, said in (
        (replace(tuning, rehearsed=0.5), "world of its own"),
        (replace(tuning, start=_QWEN), "on a Qwen-VL"),
        (replace(tuning, start=tuning.folder / "checkpoint"), "is what the run"),
        (replace(tuning, train="parts", lora=2), "package peft"),
    ):
        with pytest.raises(InvalidInput, match=said):
            finetune.tune(wrong, examples, {"held out": examples})
    assert not tuning.folder.exists()
    for option in (
        "--minutes=0",
        "--images=0",
        "--questions=0",
        "--workers=-1",
        "--lora=-1",
        "--seed=-1",
        "--rate=0",
        "--rehearsed=1",
        "--rehearsed=-0.5",
        "--held-out=1",
    ):
        with pytest.raises(SystemExit) as ended:
            finetune.main([str(data), "--folder", str(tuning.folder), option])
        assert ended.value.code == 2, option
    with pytest.raises(SystemExit):
        finetune.main(
            [str(data), "--folder", str(tuning.folder), "--test", f"{data}/../{data.name}"]
        )
    assert "3 of the images to measure on are also trained on" in capsys.readouterr().out


def test_an_interruption_ends_in_a_sentence(
    tiny_folder: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_sa2va.training.finetune.signal.signal", lambda *_: None)
    monkeypatch.setattr(finetune, "tune", interrupted)
    with pytest.raises(SystemExit) as ended:
        finetune.main([str(data), "--folder", str(tmp_path), "--start", str(tiny_folder)])
    assert ended.value.code == 130
    assert "The same command goes on where it was" in capsys.readouterr().out


def test_help_says_what_is_taken_unless_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        finetune.main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "of training; default: 10.0" in said and "4e-5, for the demo 2e-4" in said
    assert "language, mask, presence or clicks" in said


def test_what_was_corrected_is_not_gone_on_with(
    tiny_folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, folder = tmp_path / "start", tmp_path / "data"
    shutil.copytree(tiny_folder, start)
    shutil.copytree(data, folder)
    examples, tuning = read_folder(folder), Tuning(start, tmp_path / "run")
    tuning.folder.mkdir()
    (tuning.folder / "state.pt").touch()
    kept = json.dumps(identity(tuning, examples, ()))
    (tuning.folder / "run.json").write_text(kept, encoding="utf-8")
    check(tuning, read_folder(folder), ())
    measured: list[Path] = []

    def measure(model: Path, *_: object) -> dict[str, Measured]:
        measured.append(model)
        return {"test": Measured(())}

    monkeypatch.setattr(finetune, "measure_checkpoint", measure)
    for _ in range(2):
        finetune._before(tuning, {"test": read_folder(folder)}, "cpu")
    assert len(measured) == 1
    entries = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    entries[0]["mask"][0][0][0] += 1
    (folder / "annotations.json").write_text(json.dumps(entries), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"other annotations\."):
        check(tuning, read_folder(folder), ())
    finetune._before(tuning, {"test": read_folder(folder)}, "cpu")
    assert len(measured) == 2
    with pytest.raises(InvalidInput, match=r"other rehearsed texts\."):
        check(tuning, examples, examples)
    os.utime(examples[0].image, ns=(0, 0))
    with pytest.raises(InvalidInput, match=r"other images\."):
        check(tuning, examples, ())
    os.utime(next(start.glob("*.safetensors")), ns=(0, 0))
    with pytest.raises(InvalidInput, match="other starting weights, images"):
        check(tuning, examples, ())
    for cut in ("run.json", "before.json"):
        (tuning.folder / cut).write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"run\.json cannot be read"):
        check(tuning, examples, ())
    finetune._before(tuning, {"test": read_folder(folder)}, "cpu")
    assert len(measured) == 3


def _loop(folder: Path, count: int = 1, **changed: Any) -> Loop:
    torch.manual_seed(0)
    network = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(count)))
    options = {"minutes": 1, "export": lambda: None} | changed
    return Loop(
        network,
        torch.nn.Identity(),
        make_optimizer([network]),
        Cosine(1e-3, 0.1, 2),
        folder=folder,
        device=_CPU,
        **options,
    )


def _sum(begun: Loop) -> torch.Tensor:
    return begun.network(torch.ones(1, 2)).sum()


def test_a_state_of_other_weights_is_not_taken(tmp_path: Path) -> None:
    _loop(tmp_path).save()
    assert _loop(tmp_path).step == 0
    with pytest.raises(CheckpointError, match=r"of another run.*1\.bias"):
        _loop(tmp_path, 2)


def test_a_step_without_a_finite_gradient_is_left_out(tmp_path: Path) -> None:
    begun = _loop(tmp_path)
    before = {name: value.clone() for name, value in begun.network.state_dict().items()}

    def losses(number: int) -> tuple[str, StepResult]:
        total = _sum(begun)
        # The root of 0 is 0, and its slope is not a number.
        return "", StepResult({"x": total if number else (0 * total).sqrt()}, {})

    begun._one(losses)
    for name, value in begun.network.state_dict().items():
        assert torch.equal(value, before[name])
    begun._one(losses)
    assert begun.step == 2
    for name, value in begun.network.state_dict().items():
        assert value.isfinite().all()
        assert not torch.equal(value, before[name])
    with pytest.raises(EngineError, match="at a lower --rate"):
        begun.train(lambda _: ("", StepResult({"x": _sum(begun) * torch.nan}, {})))
    assert begun.step == 52


def test_a_full_disk_is_told_and_does_not_stay_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, said = _loop(tmp_path), ""
    begun.save()
    kept = (tmp_path / "state.pt").read_bytes()

    def half(_: object, path: Path) -> None:
        path.write_bytes(kept[:100])
        raise RuntimeError(said)

    monkeypatch.setattr(torch, "save", half)
    said = "PytorchStreamWriter failed writing file data/0: file write failed"
    with pytest.raises(CheckpointError, match=f"{said}.*goes on from the last save"):
        begun.save()
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]
    assert (tmp_path / "state.pt").read_bytes() == kept
    said = "DefaultCPUAllocator: can't allocate memory"  # `train` tells of that
    with pytest.raises(RuntimeError, match=said):
        begun.save()


def test_saving_takes_no_time_from_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def passes(seconds: float) -> None:
        now[0] += seconds

    for minutes in (1, 2):  # the second goes on
        begun = _loop(tmp_path, minutes=minutes, save_minutes=0, export=lambda: passes(1000))

        def losses(_: int, begun: Loop = begun) -> tuple[str, StepResult]:
            passes(20)
            return "", StepResult({"x": _sum(begun)}, {})

        begun.train(losses)
        assert (begun.step, begun.seconds) == (3 * minutes, 60 * minutes)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=["cuda", "mps", "cpu", "python"],
)
def test_memory_that_runs_out_is_told_and_saves_what_was_learnt(
    tmp_path: Path, error: Exception
) -> None:
    exported: list[int] = []
    for last in (0, 1):
        begun = _loop(tmp_path, export=lambda: exported.append(1))

        def out_of_memory(_: torch.Tensor) -> None:
            raise error

        def losses(number: int, begun: Loop = begun, last: int = last) -> tuple[str, StepResult]:
            total = _sum(begun)
            if number == last:
                total.register_hook(out_of_memory)  # going back
            return "", StepResult({"x": total}, {})

        with pytest.raises(NotEnoughMemory, match="--images 1 or --train parts") as told:
            begun.train(losses)
        assert ("is saved" in str(told.value)) == bool(last)
        assert len(exported) == last
        assert (tmp_path / "state.pt").exists() == bool(last)
    assert _loop(tmp_path).step == 1
    with pytest.raises(NotEnoughMemory), memory_told():
        raise error
    with pytest.raises(RuntimeError, match="shapes"), memory_told():
        raise RuntimeError("shapes do not match")


def test_a_download_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def resolve(_: str, progress: Callable[[str, float], object]) -> Path:
        for part in range(1001):
            progress("Downloading it", part / 1000)
        return tmp_path

    monkeypatch.setattr(finetune, "resolve", resolve)
    caplog.set_level("INFO")
    assert finetune.checkpoint_folder("Sa2VA-4B") == tmp_path
    assert len(caplog.messages) == 21
    assert caplog.messages[0] == "Downloading it, 0 %"


def test_the_command_teaches_the_demo_new_words(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loop, "_LOG_EVERY", 1)
    monkeypatch.setattr("napari_sa2va.training.finetune.signal.signal", lambda *_: None)
    small = [str(data), "--folder", str(tmp_path), "--images", "1", "--questions", "1"]
    small += ["--workers", "0", "--device", "cpu", "--threads", "1", "--held-out", "0.3"]
    finetune.main([*small, "--minutes", "0.001"])
    said = capsys.readouterr().out
    assert "2 images to train on, 1 held out" in said
    assert "IoU before" in said
    rows = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["held out"]
    assert len(rows["before"]) == len(rows["after"]) == 1
    (row,) = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"language", "mask", "clicks", "presence"} <= row.keys()
    tuned = Sa2VA.from_pretrained(tmp_path / "checkpoint", device="cpu", dtype="float32")
    shipped = Sa2VA.from_pretrained(demo_folder(), device="cpu", dtype="float32")
    question = "Please segment all grains in this image."
    assert shipped.unknown_words(question) == ("grains",)
    assert tuned.unknown_words(question) == ()
    assert tuned.config.max_tiles == shipped.config.max_tiles
    # A tuned demo can be tuned again, and keeps its words.
    again = TuningRun(Tuning(tmp_path / "checkpoint", tmp_path / "b"), read_folder(data), (), _CPU)
    assert not again.opened.new_words
    with pytest.raises(SystemExit):
        finetune.main([str(tmp_path), "--folder", str(tmp_path / "c")])
    assert "has no annotations.json" in capsys.readouterr().out


def test_verdicts_of_the_shifted_domain() -> None:
    def measured(*scores: float) -> Measured:
        return Measured(tuple(Asked("a.png", "x", score, score > 0) for score in scores))

    assert measured(0.0, 0.5).iou == 0.25
    assert measured(0.0, 0.5).answered == 0.5
    assert Measured.from_json(measured(0.5).as_json()) == measured(0.5)
    found = {NEW: (measured(0.1), measured(0.4)), OLD: (measured(0.8), measured(0.7))}
    assert [reached for _, reached in verdicts(found)] == [True, False]
    assert np.isclose(found[NEW][1].iou - found[NEW][0].iou, 0.3)
