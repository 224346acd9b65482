from __future__ import annotations

import gzip
import json
import math
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import golden
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_sa2va.errors import Cancelled, CheckpointError
from napari_sa2va.model.checkpoint import (
    load_network,
    match_names,
    official_state,
    save_checkpoint,
)
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.filling import stored_shape
from napari_sa2va.model.network import Sa2VANetwork
from napari_sa2va.model.shards import INDEX, SINGLE
from napari_sa2va.zoo import find

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.model import Sa2VA

# Attention heads, key-value heads of the language models, as published: no shape tells them.
HEADS = {
    "Sa2VA-InternVL3-2B": (12, 2),
    "Sa2VA-InternVL3-8B": (28, 4),
    "Sa2VA-InternVL3-14B": (40, 8),
    "Sa2VA-1B": (14, 2),
    "Sa2VA-4B": (16, 2),
    "Sa2VA-8B": (32, 8),
    "Sa2VA-26B": (48, 8),
    "Sa2VA-Qwen2_5-VL-3B": (16, 2),
    "Sa2VA-Qwen2_5-VL-7B": (28, 4),
    "Sa2VA-Qwen3-VL-4B": (32, 8),
}


def published_shapes() -> dict[str, dict[str, list[int]]]:
    with gzip.open(golden.GOLDEN / "full_size_parameter_shapes.json.gz") as file:
        shapes: dict[str, dict[str, list[int]]] = json.load(file)
    return shapes


def published_config(name: str, shapes: dict[str, list[int]]) -> Sa2VAConfig:
    def layers(prefix: str) -> int:
        numbers = {key.removeprefix(prefix).split(".")[0] for key in shapes if prefix in key}
        return len(numbers)

    def settings(embedding: str, up: str, stack: str) -> dict[str, Any]:
        vocabulary, hidden = shapes[embedding]
        heads, key_value_heads = HEADS[name]
        return {
            "vocab_size": vocabulary,
            "hidden_size": hidden,
            "intermediate_size": shapes[f"{stack}0.{up}.weight"][0],
            "num_hidden_layers": layers(stack),
            "num_attention_heads": heads,
            "num_key_value_heads": key_value_heads,
            "rope_theta": 1000000.0,
        }

    if "Qwen" in name:
        return Sa2VAConfig.from_dict(qwen_blocks(name, shapes, settings))
    stack = "language_model.model.layers."
    if "language_model.model.tok_embeddings.weight" in shapes:
        language = settings("language_model.model.tok_embeddings.weight", "feed_forward.w1", stack)
        language |= {"model_type": "internlm2", "bias": False, "max_position_embeddings": 32768}
        language["rope_scaling"] = {"type": "dynamic", "factor": 2.0}
    else:
        language = settings("language_model.model.embed_tokens.weight", "mlp.up_proj", stack)
        language["model_type"] = "qwen2"
    large = "vision_model.encoder.layers.0.attn.q_norm.weight" in shapes  # InternViT-6B
    width = shapes["vision_model.embeddings.class_embedding"][-1]
    vision = {
        "hidden_size": width,
        "num_hidden_layers": layers("vision_model.encoder.layers."),
        "num_attention_heads": width // (128 if large else 64),
        "intermediate_size": shapes["vision_model.encoder.layers.0.mlp.fc1.weight"][0],
        "image_size": 448,
        "patch_size": shapes["vision_model.embeddings.patch_embedding.weight"][-1],
        "qkv_bias": not large,
        "qk_normalization": large,
        "norm_type": "rms_norm" if large else "layer_norm",
    }
    return Sa2VAConfig.from_dict({"llm_config": language, "vision_config": vision})


def qwen_blocks(name: str, shapes: dict[str, list[int]], settings: Any) -> dict[str, Any]:
    stack, visual = "model.model.language_model.layers.", "model.model.visual."
    language = settings("model.model.language_model.embed_tokens.weight", "mlp.up_proj", stack)
    language["rope_scaling"] = {"mrope_section": [16, 24, 24], "type": "default"}
    width, _, frames, patch, _ = shapes[f"{visual}patch_embed.proj.weight"]
    vision = {
        "hidden_size": width,
        "depth": len({key.split(".")[4] for key in shapes if f"{visual}blocks." in key}),
        "num_heads": 16,
        "patch_size": patch,
        "temporal_patch_size": frames,
        "spatial_merge_size": 2,
        "out_hidden_size": language["hidden_size"],
        "tie_word_embeddings": True,
    }
    if "Qwen3" in name:
        language["head_dim"] = 128
        language["rope_scaling"]["mrope_interleaved"] = True
        vision |= {
            "intermediate_size": shapes[f"{visual}blocks.0.mlp.linear_fc1.weight"][0],
            "num_position_embeddings": shapes[f"{visual}pos_embed.weight"][0],
            "deepstack_visual_indexes": [5, 11, 17],
        }
    else:
        vision |= {
            "intermediate_size": shapes[f"{visual}blocks.0.mlp.up_proj.weight"][0],
            "fullatt_block_indexes": [7, 15, 23, 31],
            "window_size": 112,
        }
    return {"text_config": language, "vision_config": vision}


def unstored(module: torch.nn.Module) -> list[torch.Tensor]:
    return [
        part.get_buffer(name)
        for part in module.modules()
        for name in part._non_persistent_buffers_set
    ]


@pytest.mark.parametrize("name", HEADS)
def test_published_checkpoints_fit_name_by_name(name: str) -> None:
    shapes = published_shapes()[name]
    network = Sa2VANetwork.empty(published_config(name, shapes))
    wanted = match_names(network, shapes, name)  # raises for a missing or an unexpected name
    assert {key: stored_shape(network, places) for key, places in wanted.items()} == {
        key: tuple(shape) for key, shape in shapes.items()
    }
    assert all(tensor.is_meta for tensor in network.state_dict().values())
    # What no checkpoint holds is there all the same.
    assert not any(buffer.is_meta for buffer in unstored(network.backbone))


@pytest.mark.parametrize("name", ["Sa2VA-1B", "Sa2VA-26B"])
def test_sa2va_i_is_the_same_with_a_second_decoder(name: str) -> None:
    shapes = published_shapes()[name]
    config = published_config(name, shapes)
    prefix = "grounding_encoder.sam2_model.sam_mask_decoder"
    decoder = {key: shape for key, shape in shapes.items() if key.startswith(f"{prefix}.")}
    second = {key.replace(prefix, f"{prefix}_modified"): s for key, s in decoder.items()}
    network = Sa2VANetwork.empty(config, original_decoder=True)
    wanted = match_names(network, [*shapes, *second], name)
    assert set(wanted) == {*shapes, *second}
    # What the catalogue adds for the second decoder.
    extra = sum(math.prod(shape) for shape in second.values())
    plain, other = find(name), find(name.replace("Sa2VA", "Sa2VA-i"))
    assert plain is not None and other is not None
    assert other.parameters - plain.parameters == extra


def test_every_weight_arrives(internvl: Sa2VA) -> None:
    expected = golden.weights("internvl")
    found = official_state(internvl.network, torch.float32)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
    assert not any(p.requires_grad for p in internvl.network.parameters())
    assert not internvl.network.training
    for name, buffer in internvl.network.named_buffers():
        assert not buffer.is_meta, name


def test_two_decoders_arrive_in_their_places() -> None:
    names = golden.weights("sa2va_i").keys()
    config = Sa2VAConfig.from_folder(golden.GOLDEN / "sa2va_i")
    wanted = match_names(Sa2VANetwork.empty(config, original_decoder=True), names, "sa2va_i")
    prefix = "grounding_encoder.sam2_model."
    tuned = wanted[f"{prefix}sam_mask_decoder_modified.iou_token.weight"]
    original = wanted[f"{prefix}sam_mask_decoder.iou_token.weight"]
    assert [ours for ours, _ in tuned] == [f"{prefix}sam_mask_decoder.iou_token.weight"]
    assert [ours for ours, _ in original] == [f"{prefix}original_mask_decoder.iou_token.weight"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_saving_and_loading_gives_the_same_network(
    internvl: Sa2VA, internvl_folder: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    config = json.loads((internvl_folder / "config.json").read_text())
    save_checkpoint(internvl.network, config, internvl_folder, tmp_path / "saved", dtype)
    loaded = load_network(tmp_path / "saved", dtype=torch.float32)
    matrix = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    kept = internvl.network.state_dict()
    for name, tensor in loaded.state_dict().items():
        rounded = kept[name] if name.endswith(matrix) else kept[name].to(dtype).float()
        assert torch.equal(tensor, rounded), name
    assert (tmp_path / "saved" / "tokenizer.json").is_file()


def test_loading_reports_how_far_it_is_and_can_be_cancelled(internvl_folder: Path) -> None:
    seen: list[float] = []
    with pytest.raises(Cancelled):
        load_network(
            internvl_folder,
            progress=lambda message, fraction: seen.append(fraction),
            cancelled=lambda: len(seen) >= 3,
        )
    assert len(seen) == 3
    assert seen == sorted(seen)
    assert 0 < seen[-1] < 1


OLD = (("model.model.visual.", "model.visual."), ("model.model.language_model.", "model.model."))


@pytest.mark.parametrize(
    ("family", "dtype"), [("qwen2_5_vl", torch.float32), ("qwen3_vl", torch.bfloat16)]
)
def test_qwen_is_read_from_shards_in_both_layouts(
    tmp_path: Path, family: str, dtype: torch.dtype
) -> None:
    stored = {name: tensor.to(dtype) for name, tensor in golden.weights(family).items()}
    older = {}
    for name, tensor in stored.items():
        new, old = next(((n, o) for n, o in OLD if name.startswith(n)), ("", ""))
        older[old + name.removeprefix(new)] = tensor
    assert len(older.keys() - stored.keys()) > 80
    whole = golden.copy_settings(family, tmp_path / "whole")
    save_file(older, whole / SINGLE)
    network = load_network(sharded(whole, tmp_path / "sharded"), dtype=dtype)
    found = official_state(network, dtype)
    assert found.keys() == stored.keys()  # saved in the newer layout
    for name, tensor in stored.items():
        if not name.endswith("positional_encoding_gaussian_matrix"):
            assert torch.equal(found[name], tensor), name


def sharded(source: Path, folder: Path) -> Path:
    """Split a single-file checkpoint into two shards and an index."""
    shutil.copytree(source, folder)
    tensors = load_file(folder / SINGLE)
    (folder / SINGLE).unlink()
    names = sorted(tensors)
    halves = {"model-1-of-2.safetensors": names[::2], "model-2-of-2.safetensors": names[1::2]}
    for file, some in halves.items():
        save_file({name: tensors[name] for name in some}, folder / file)
    where = {name: file for file, some in halves.items() for name in some}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return folder


def test_shards_are_read_as_one_file_is(
    internvl: Sa2VA, internvl_folder: Path, tmp_path: Path
) -> None:
    loaded = load_network(sharded(internvl_folder, tmp_path / "sharded"))
    kept = internvl.network.state_dict()
    assert all(torch.equal(t, kept[name]) for name, t in loaded.state_dict().items())


def cut(folder: Path) -> None:
    path = folder / "model-2-of-2.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def change_header(folder: Path) -> None:
    path = folder / "model-2-of-2.safetensors"
    path.write_bytes(b"\xff" * 16 + path.read_bytes()[16:])


def lose_shard(folder: Path) -> None:
    (folder / "model-1-of-2.safetensors").unlink()


def lead_away(folder: Path) -> None:
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"][next(iter(index["weight_map"]))] = "../other.safetensors"
    (folder / INDEX).write_text(json.dumps(index))


def break_index(folder: Path) -> None:
    (folder / INDEX).write_text("{")


def change(folder: Path, edit: Any) -> None:
    path = folder / "model-1-of-2.safetensors"
    tensors = load_file(path)
    edit(tensors, min(tensors))
    save_file(tensors, path)


def reshape(folder: Path) -> None:
    change(folder, lambda tensors, name: tensors.update({name: torch.zeros(2, 3)}))


def drop_name(folder: Path) -> None:
    change(folder, lambda tensors, name: tensors.pop(name))


def add_name(folder: Path) -> None:
    change(folder, lambda tensors, name: tensors.update({"surprise": torch.zeros(1)}))


def put_nan(folder: Path) -> None:
    change(folder, lambda tensors, name: tensors[name].fill_(np.nan))


def put_integers(folder: Path) -> None:
    change(folder, lambda tensors, name: tensors.update({name: tensors[name].int()}))


def other_sizes(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 7
    (folder / "config.json").write_text(json.dumps(config))


def impossible_sizes(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["num_attention_heads"] = 7
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "model-2-of-2.safetensors is cut short or damaged"),
        (change_header, "model-2-of-2.safetensors is cut short or damaged"),
        (lose_shard, "model-1-of-2.safetensors is missing"),
        (lead_away, "names no safetensors files"),
        (break_index, "index.json is damaged"),
        (reshape, "has the shape"),
        (drop_name, "does not hold"),
        (add_name, "has unknown 1"),
        (put_nan, "holds no numbers"),
        (put_integers, "holds no numbers"),
        (other_sizes, "lacks"),
        (impossible_sizes, "cannot be built"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_damage_is_named(internvl_folder: Path, tmp_path: Path, damage: Any, words: str) -> None:
    folder = sharded(internvl_folder, tmp_path / "checkpoint")
    damage(folder)
    with pytest.raises(CheckpointError, match=words):
        load_network(folder)


def test_pickles_are_refused(internvl_folder: Path, tmp_path: Path) -> None:
    shutil.copyfile(internvl_folder / "config.json", tmp_path / "config.json")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match="pickle"):
        load_network(tmp_path)


def test_weights_too_large_for_the_dtype_are_not_saved(
    internvl_folder: Path, tmp_path: Path
) -> None:
    network = load_network(internvl_folder)
    network.mlp1[1].bias.fill_(1e6)
    with pytest.raises(CheckpointError, match="not finite"):
        save_checkpoint(network, {}, internvl_folder, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_a_failed_write_leaves_no_parts(internvl_folder: Path, tmp_path: Path) -> None:
    (tmp_path / SINGLE).mkdir()  # which no file can replace
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_checkpoint(load_network(internvl_folder), {}, internvl_folder, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [SINGLE]


def test_the_shared_decoder_is_known_from_the_config() -> None:
    config = Sa2VAConfig.from_folder(golden.GOLDEN / "internvl")
    shared = replace(config, sam2=replace(config.sam2, shared_decoder=True))
    assert Sa2VANetwork.empty(config).sam2.tracking_decoder is None
    sam2 = Sa2VANetwork.empty(shared).sam2
    assert sam2.tracking_decoder is sam2.sam_mask_decoder
