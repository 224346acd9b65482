"""InternLM2 and InternViT-6B, each against a small computation of its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.families.internvl import Family

HIDDEN, HEADS, GROUPS, LAYERS, WORDS = 24, 6, 2, 2, 11
HEAD = HIDDEN // HEADS
THETA, EPS = 10000.0, 1e-5
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 4,
    "norm_type": "rms_norm",
    "qkv_bias": False,
    "qk_normalization": True,
    "layer_norm_eps": 1e-6,
}
LANGUAGE = {
    "model_type": "internlm2",
    "architectures": ["InternLM2ForCausalLM"],
    "hidden_size": HIDDEN,
    "intermediate_size": 40,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": GROUPS,
    "vocab_size": WORDS,
    "rms_norm_eps": EPS,
    "rope_theta": THETA,
    "rope_scaling": {"type": "dynamic", "factor": 2.0},
    "max_position_embeddings": 64,
    "bias": False,
}


def backbone() -> tuple[Family, dict[str, np.ndarray]]:
    """A small random backbone, and the tensors of its checkpoint as float64 arrays."""
    config = Sa2VAConfig.from_dict(
        {
            "llm_config": LANGUAGE,
            "vision_config": VISION,
            "template": "internlm2_chat",
            "force_image_size": 8,
        }
    )
    family = Family(config).eval().requires_grad_(False)
    naming, ours = family.naming(()), family.state_dict()
    places = {name: naming(name) for name in ours}
    random = np.random.default_rng(5)
    stored = {}
    for name, place in places.items():
        rows, *rest = ours[name].shape
        shape = (place.stored_rows(rows), *rest)
        scale = 1 / math.sqrt(shape[-1]) if len(shape) > 1 else 0.3
        stored[place.name] = random.normal(size=shape) * scale + (len(shape) == 1)
    family.load_state_dict(
        {
            name: place.of(torch.from_numpy(stored[place.name])).float()
            for name, place in places.items()
        }
    )
    return family, stored


def rms(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * weight


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def turned(x: np.ndarray) -> np.ndarray:
    """Rotary embedding of (tokens, head)."""
    half = HEAD // 2
    angles = np.arange(len(x))[:, None] * THETA ** (-np.arange(half) / half)
    first, second = x[:, :half], x[:, half:]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=1)


def internlm2(ids: list[int], weights: dict[str, np.ndarray]) -> np.ndarray:
    """Logits of an InternLM2, from its own packed weights, one head after the other."""

    def weight(name: str) -> np.ndarray:
        return weights[f"language_model.{name}.weight"]

    x = weight("model.tok_embeddings")[ids]
    later = np.triu(np.full((len(ids), len(ids)), -np.inf), 1)
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        packed = rms(x, weight(f"{at}.attention_norm"), EPS) @ weight(f"{at}.attention.wqkv").T
        heads = []
        for group in packed.reshape(len(ids), GROUPS, -1).transpose(1, 0, 2):
            *queries, key, value = np.split(group, HEADS // GROUPS + 2, axis=1)
            for query in queries:
                scores = turned(query) @ turned(key).T / math.sqrt(HEAD) + later
                heads.append(softmax(scores) @ value)
        x = x + np.concatenate(heads, axis=1) @ weight(f"{at}.attention.wo").T
        y = rms(x, weight(f"{at}.ffn_norm"), EPS)
        gate, up = y @ weight(f"{at}.feed_forward.w1").T, y @ weight(f"{at}.feed_forward.w3").T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ weight(f"{at}.feed_forward.w2").T
    return rms(x, weight("model.norm"), EPS) @ weight("output").T


def internvit(image: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Patches of an InternViT-6B: rms norms, q and k normalised over all heads together."""
    size, width, heads = VISION["patch_size"], VISION["hidden_size"], 2
    of: Any = weights.__getitem__
    kernel = of("vision_model.embeddings.patch_embedding.weight").reshape(width, -1)
    side = image.shape[1] // size
    patches = image.reshape(3, side, size, side, size).transpose(1, 3, 0, 2, 4)
    x = patches.reshape(side**2, -1) @ kernel.T
    x = x + of("vision_model.embeddings.patch_embedding.bias")
    x = np.concatenate([of("vision_model.embeddings.class_embedding")[0], x])
    x = x + of("vision_model.embeddings.position_embedding")[0]
    for layer in range(VISION["num_hidden_layers"]):
        at = f"vision_model.encoder.layers.{layer}"
        y = rms(x, of(f"{at}.norm1.weight"), 1e-6) @ of(f"{at}.attn.qkv.weight").T
        q, k, v = np.split(y, 3, axis=1)
        q, k = (
            rms(q, of(f"{at}.attn.q_norm.weight"), 1e-6),
            rms(k, of(f"{at}.attn.k_norm.weight"), 1e-6),
        )
        parts = [
            softmax(a @ b.T / math.sqrt(width / heads)) @ c
            for a, b, c in zip(*(np.split(t, heads, axis=1) for t in (q, k, v)), strict=True)
        ]
        y = np.concatenate(parts, axis=1) @ of(f"{at}.attn.proj.weight").T
        x = x + (y + of(f"{at}.attn.proj.bias")) * of(f"{at}.ls1")
        y = rms(x, of(f"{at}.norm2.weight"), 1e-6) @ of(f"{at}.mlp.fc1.weight").T
        y = y + of(f"{at}.mlp.fc1.bias")
        y = y * 0.5 * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
        y = y @ of(f"{at}.mlp.fc2.weight").T + of(f"{at}.mlp.fc2.bias")
        x = x + y * of(f"{at}.ls2")
    return x[1:]


def test_internlm2_packs_queries_keys_and_values_by_group() -> None:
    family, weights = backbone()
    assert weights["language_model.model.layers.0.attention.wqkv.weight"].shape == (40, HIDDEN)
    ids = [3, 1, 4, 1, 5, 9, 2, 6]
    found = family.language_model(input_ids=torch.tensor([ids])).logits[0]
    expected = internlm2(ids, weights)
    assert np.abs(found.numpy() - expected).max() < 1e-4 < np.abs(expected).max()


def test_internvit_6b_normalises_queries_and_keys() -> None:
    family, weights = backbone()
    image = np.random.default_rng(2).normal(size=(3, 8, 8))
    found = family.vision_model(pixel_values=torch.from_numpy(image)[None].float())
    expected = internvit(image, weights)
    difference = np.abs(found.last_hidden_state[0, 1:].numpy() - expected).max()
    assert difference < 1e-4 < np.abs(expected).max()
