"""A published checkpoint's sizes with random weights, as a folder in the official format.

``python benchmarks/random_checkpoint.py Sa2VA-InternVL3-2B FOLDER [--dtype bfloat16]``

Loading, speed and memory can be measured with it where no published weights are at hand. Names and
shapes are those of ``tests/data/golden/full_size_parameter_shapes.json.gz``. The tokenizer is the
golden one, which spells in bytes, with the words of the benchmarks' questions added: a question has
as many tokens as with the published tokenizers, which have such words whole too.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from napari_sa2va.model.shards import INDEX, SINGLE
from napari_sa2va.zoo import find

GOLDEN = Path(__file__).parents[1] / "tests" / "data" / "golden"
SHARD_BYTES = 1 << 30
ROOM = 2 << 30  # left on the disk in any case
# Words of the benchmarks' questions and answers; a word in a sentence begins with its space.
WORDS = (
    *("Sure", "It", "They", "Please", "user", "assistant", "system", "cell", "nucleus"),
    *(" is", " are", " it", " and", " segment", " the", " in", " this", " image", " cell"),
    *(" cells", " red", " five", " objects", " bright", " nucleus", " largest", " round"),
)
_SETTINGS = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "preprocessor_config.json",
    "chat_template.jinja",
)


def shapes(name: str) -> dict[str, list[int]]:
    """Return the shapes of a published checkpoint, by official name."""
    with gzip.open(GOLDEN / "full_size_parameter_shapes.json.gz") as file:
        published: dict[str, dict[str, list[int]]] = json.load(file)
    if name not in published:
        raise SystemExit(f"Choose one of {', '.join(published)}.")
    return published[name]


def write(
    name: str,
    folder: Path,
    dtype: torch.dtype = torch.bfloat16,
    shard_bytes: int = SHARD_BYTES,
    seed: int = 0,
) -> Path:
    """Write a checkpoint folder.

    Parameters
    ----------
    name : str
        Such as ``"Sa2VA-InternVL3-2B"``.
    folder : Path
        Made if need be; outside of the repository, please.
    dtype : torch.dtype
        Of the files.
    shard_bytes : int
        About how large a file is.
    """
    wanted = shapes(name)
    total = sum(math.prod(shape) for shape in wanted.values()) * dtype.itemsize
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < total + ROOM:
        raise SystemExit(f"{folder} has {free >> 20} MiB left, {total + ROOM >> 20} are needed.")
    _settings(name, wanted, folder)
    generator = torch.Generator().manual_seed(seed)
    # Slices of one pool of normal values: billions of fresh ones would take minutes.
    pool = torch.randn(1 << 24, generator=generator)
    shards = _split(wanted, dtype.itemsize, shard_bytes)
    where = {}
    for number, names in enumerate(shards, start=1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        tensors = {one: _values(one, wanted[one], pool, generator).to(dtype) for one in names}
        save_file(tensors, folder / (SINGLE if len(shards) == 1 else file), {"format": "pt"})
        where.update(dict.fromkeys(names, file))
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": where}
        (folder / INDEX).write_text(json.dumps(index))
    return folder


def _split(wanted: dict[str, list[int]], itemsize: int, shard_bytes: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    size = 0
    for name, shape in wanted.items():
        more = math.prod(shape) * itemsize
        if size and size + more > shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += more
    return shards


def _values(
    name: str, shape: list[int], pool: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Return values that let signals through: matrices keep the size of what they multiply."""
    count = math.prod(shape)
    start = int(torch.randint(len(pool), (), generator=generator))
    values = torch.empty(count)
    done = 0
    while done < count:
        piece = pool[start : start + count - done]
        values[done : done + len(piece)] = piece
        done, start = done + len(piece), 0
    values = values.reshape(shape)
    if len(shape) > 1 and not name.endswith(("positional_encoding_gaussian_matrix", "embedding")):
        # Residual branches are kept small, as training leaves them in deep networks.
        small = re.search(r"(o_proj|down_proj|attn\.proj|fc2|layers\.1)\.weight$", name)
        return values * ((0.3 if small else 1.0) / math.sqrt(math.prod(shape[1:])))
    if name.endswith("bias"):
        return values * 0.02
    return 1 + 0.1 * values


def _settings(name: str, wanted: dict[str, list[int]], folder: Path) -> None:
    family = "internvl"
    if "Qwen" in name:
        family = "qwen3_vl" if "Qwen3" in name else "qwen2_5_vl"
    golden = json.loads((GOLDEN / family / "config.json").read_text())
    config = _qwen(name, wanted, golden) if "Qwen" in name else _internvl(name, wanted)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    tokenizer = json.loads((GOLDEN / family / "tokenizer.json").read_text())
    model, added = tokenizer["model"], tokenizer["added_tokens"]
    # Special tokens keep their numbers when the model knows them, and new words come after them.
    model["vocab"] |= {token["content"]: token["id"] for token in added}
    spelled = [word.replace(" ", "\u0120") for word in WORDS]  # as byte-level BPE writes a space
    model["vocab"] |= {word: len(model["vocab"]) + i for i, word in enumerate(spelled)}
    model["ignore_merges"] = True
    tokenizer["pre_tokenizer"]["use_regex"] = True
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    for file in _SETTINGS:
        if (GOLDEN / family / file).is_file():
            shutil.copyfile(GOLDEN / family / file, folder / file)


def _language(name: str, wanted: dict[str, list[int]], embedding: str, up: str) -> dict[str, Any]:
    published = find(name)
    assert published is not None and published.language is not None
    sizes = published.language
    heads = next(
        (shape[0] // sizes.head for key, shape in wanted.items() if "self_attn.q_proj.we" in key),
        sizes.hidden // sizes.head,  # an InternLM2 packs q, k and v in one
    )
    return {
        "vocab_size": wanted[embedding][0],
        "hidden_size": sizes.hidden,
        "intermediate_size": next(s[0] for key, s in wanted.items() if f"layers.0.{up}.we" in key),
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": heads,
        "num_key_value_heads": sizes.key_value_heads,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
    }


def _layers(wanted: dict[str, list[int]], prefix: str) -> int:
    return len({key.removeprefix(prefix).split(".")[0] for key in wanted if key.startswith(prefix)})


def _internvl(name: str, wanted: dict[str, list[int]]) -> dict[str, Any]:
    internlm = "language_model.model.tok_embeddings.weight" in wanted
    if internlm:
        language = _language(
            name, wanted, "language_model.model.tok_embeddings.weight", "feed_forward.w1"
        )
        language |= {"model_type": "internlm2", "bias": False}
        language["rope_scaling"] = {"type": "dynamic", "factor": 2.0}
    else:
        language = _language(
            name, wanted, "language_model.model.embed_tokens.weight", "mlp.up_proj"
        )
        language["model_type"] = "qwen2"
    large = "vision_model.encoder.layers.0.attn.q_norm.weight" in wanted  # InternViT-6B
    width = wanted["vision_model.embeddings.class_embedding"][-1]
    vision = {
        "hidden_size": width,
        "num_hidden_layers": _layers(wanted, "vision_model.encoder.layers."),
        "num_attention_heads": width // (128 if large else 64),
        "intermediate_size": wanted["vision_model.encoder.layers.0.mlp.fc1.weight"][0],
        "image_size": 448,
        "patch_size": wanted["vision_model.embeddings.patch_embedding.weight"][-1],
        "qkv_bias": not large,
        "qk_normalization": large,
        "norm_type": "rms_norm" if large else "layer_norm",
    }
    return {
        "llm_config": language,
        "vision_config": vision,
        "template": "internlm2_chat" if internlm else "qwen_chat",
    }


def _qwen(name: str, wanted: dict[str, list[int]], golden: dict[str, Any]) -> dict[str, Any]:
    visual = "model.model.visual."
    embedding = "model.model.language_model.embed_tokens.weight"
    language = _language(name, wanted, embedding, "mlp.up_proj")
    language["rope_scaling"] = {"mrope_section": [16, 24, 24], "type": "default"}
    width, _, frames, patch, _ = wanted[f"{visual}patch_embed.proj.weight"]
    vision = {
        "hidden_size": width,
        "depth": _layers(wanted, f"{visual}blocks."),
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
            "intermediate_size": wanted[f"{visual}blocks.0.mlp.linear_fc1.weight"][0],
            "num_position_embeddings": wanted[f"{visual}pos_embed.weight"][0],
            "deepstack_visual_indexes": [5, 11, 17],
        }
    else:
        vision |= {
            "intermediate_size": wanted[f"{visual}blocks.0.mlp.up_proj.weight"][0],
            "fullatt_block_indexes": [7, 15, 23, 31],
            "window_size": 112,
        }
    ids = {key: value for key, value in golden.items() if key.endswith("_token_id") and value}
    return {"text_config": language, "vision_config": vision, **ids}


def main() -> None:
    """Write a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), default="bfloat16")
    chosen = parser.parse_args()
    write(chosen.name, chosen.folder, getattr(torch, chosen.dtype))
    files = sorted(chosen.folder.glob("*.safetensors"))
    size = sum(file.stat().st_size for file in files)
    sys.stdout.write(f"{chosen.folder}: {len(files)} files, {size / 1e9:.2f} GB\n")


if __name__ == "__main__":
    main()
