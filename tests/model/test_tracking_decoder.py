"""SAM2's original mask decoder from a file of its own."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_sa2va.errors import CheckpointError, InvalidInput
from napari_sa2va.model import Sa2VA, TrackedFrame
from napari_sa2va.model.sam2_parts import mask_decoder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model(internvl_folder: Path) -> Sa2VA:
    return Sa2VA.from_pretrained(internvl_folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def weights(internvl: Sa2VA) -> dict[str, torch.Tensor]:
    """What stands in Meta's file: the decoder among the rest of SAM2."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        decoder = mask_decoder(internvl.config.sam2).state_dict()
    named = {f"sam_mask_decoder.{name}": tensor for name, tensor in decoder.items()}
    return {**named, "no_mem_embed": torch.zeros(1, 1, 256)}


def write(path: Path, weights: dict[str, torch.Tensor]) -> Path:
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save({"model": weights}, path)
    return path


def tracked(model: Sa2VA, frames: Any, method: Any = None) -> np.ndarray:
    masks = np.zeros((1, *frames.shape[1:3]), bool)
    masks[0, 20:60, 20:60] = True
    return np.stack([frame.logits for frame in model.track_masks(frames, {0: masks})])


@pytest.mark.parametrize("name", ["sam2_hiera_large.pt", "decoder.safetensors"])
def test_it_makes_consistent_tracking_possible(
    model: Sa2VA, weights: dict[str, torch.Tensor], tmp_path: Path, name: str
) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), np.uint8)
    before = tracked(model, frames)
    fine_tuned = model.network.sam2.sam_mask_decoder
    assert not model.capabilities.consistent_tracking
    held = model.bytes_held
    assert model.tracking_file is None
    model.load_tracking_decoder(write(tmp_path / name, weights))
    assert model.capabilities.consistent_tracking
    assert model.tracking_file == tmp_path / name
    assert model.bytes_held > held
    assert model.network.sam2.sam_mask_decoder is fine_tuned
    decoder = model.network.sam2.tracking_decoder
    assert decoder is not None
    for key, tensor in decoder.state_dict().items():
        assert torch.equal(tensor, weights[f"sam_mask_decoder.{key}"])
    assert not np.array_equal(tracked(model, frames)[1:], before[1:])
    parts = list(model.track(frames, "Please segment it.", max_new_tokens=16))
    assert any(isinstance(part, TrackedFrame) for part in parts)


def test_the_checkpoint_s_own_decoder_comes_back(
    model: Sa2VA, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    sam2, path = model.network.sam2, write(tmp_path / "sam2.pt", weights)
    for own in (None, mask_decoder(model.config.sam2)):
        sam2.original_mask_decoder = own
        model.load_tracking_decoder(path)
        model.load_tracking_decoder(path)
        assert sam2.original_mask_decoder is not own
        model.drop_tracking_decoder()
        model.drop_tracking_decoder()
        assert sam2.original_mask_decoder is own
        assert model.tracking_file is None


def test_it_is_read_with_the_checkpoint(
    internvl_folder: Path, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = write(tmp_path / "sam2.pt", weights)
    model = Sa2VA.from_pretrained(
        internvl_folder, device="cpu", dtype="bfloat16", tracking_decoder=path
    )
    decoder = model.network.sam2.tracking_decoder
    assert decoder is not None
    assert {tensor.dtype for tensor in decoder.state_dict().values()} == {torch.bfloat16}


def test_a_run_is_gone_on_with_by_the_same_decoder(
    model: Sa2VA, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), np.uint8)
    run = model.track_masks(frames, {0: np.ones((1, 64, 64), bool)})
    next(run)
    assert run.state is not None
    model.load_tracking_decoder(write(tmp_path / "sam2.pt", weights))
    with pytest.raises(InvalidInput, match="another tracking decoder"):
        list(model.resume(frames, run.state))


class Evil:
    def __reduce__(self) -> Any:
        return print, ("run",)


def test_files_that_hold_no_such_decoder(
    model: Sa2VA,
    weights: dict[str, torch.Tensor],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refused(path: Path, words: str) -> None:
        with pytest.raises(CheckpointError, match=words):
            model.load_tracking_decoder(path)
        assert not model.capabilities.consistent_tracking

    pt = tmp_path / "sam2.pt"
    refused(tmp_path / "none.pt", "There is no file")
    whole = write(pt, weights).read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 100):
        pt.write_bytes(whole[:size])
        refused(pt, "cut short|damaged")
    cut = write(tmp_path / "sam2.safetensors", weights)
    cut.write_bytes(cut.read_bytes()[:-1000])
    refused(cut, "cut short")
    pt.write_bytes(pickle.dumps({"model": Evil()}, protocol=2))
    refused(pt, "could run code")
    torch.save({"model": {"x": Evil()}}, pt)
    refused(pt, "could run code")
    assert capsys.readouterr().out == ""
    refused(write(pt, {"no_mem_embed": torch.zeros(1)}), "no mask decoder")
    torch.save([1, 2], pt)
    refused(pt, "no mask decoder")
    name = "sam_mask_decoder.iou_token.weight"
    refused(write(pt, {**weights, name: torch.zeros(1, 128)}), r"another size.*\(1, 128\)")
    refused(write(pt, {**weights, name: weights[name] * torch.nan}), "holds no numbers")
    refused(write(pt, {key: value for key, value in weights.items() if key != name}), "lacks iou")
    refused(write(pt, {**weights, "sam_mask_decoder.more": torch.zeros(1)}), "unknown more")
