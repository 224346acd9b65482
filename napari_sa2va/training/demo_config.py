"""Sizes of the demo checkpoint: a whole Sa2VA in 16 MB of float16."""

from __future__ import annotations

from typing import Any


def demo_config(vocabulary_size: int) -> dict[str, Any]:
    """Return the ``config.json`` of the demo checkpoint, in the official format.

    Sizes follow a prototype's measurements: an 8x8 token grid loses small cells, a SAM2 of width
    256 does not fit into 16 MB.
    """
    return {
        "architectures": ["Sa2VAChatModel"],
        "model_type": "sa2va_chat",
        "name": "Sa2VA demo (synthetic microscopy)",
        "template": "qwen_chat",
        "force_image_size": 192,
        "downsample_ratio": 0.5,
        "dynamic_image_size": True,
        "min_dynamic_patch": 1,
        # Of four tiles the model told a square image no better than of one (.66 both ways).
        "max_dynamic_patch": 2,
        "use_thumbnail": True,
        "ps_version": "v2",
        "select_layer": -1,
        "vision_config": {
            "model_type": "intern_vit_6b",
            "image_size": 192,
            "patch_size": 8,
            "hidden_size": 128,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "intermediate_size": 512,
            "norm_type": "layer_norm",
            "layer_norm_eps": 1e-6,
            "hidden_act": "gelu",
            "qkv_bias": True,
            "qk_normalization": False,
        },
        "llm_config": {
            "model_type": "qwen2",
            "architectures": ["Qwen2ForCausalLM"],
            "vocab_size": vocabulary_size,
            "hidden_size": 192,
            "intermediate_size": 512,
            "num_hidden_layers": 4,
            "num_attention_heads": 6,
            "num_key_value_heads": 3,
            "hidden_act": "silu",
            "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-6,
            "rope_theta": 10000.0,
            "tie_word_embeddings": False,
            "use_sliding_window": False,
        },
        "sam2": {
            # At 256 a small cell is one and a half places of SAM2's features: too few to tell it
            # from one that touches it.
            "image_size": 384,
            "embed_dim": 32,
            "num_heads": 1,
            "stages": [1, 2, 3, 1],
            "global_att_blocks": [4],
            "window_spec": [8, 4, 8, 4],
            "window_pos_embed_bkg_spatial_size": [7, 7],
            "backbone_channel_list": [256, 128, 64, 32],
            "d_model": 128,
            "memory_layers": 2,
            "memory_feedforward": 512,
            "memory_dimension": 64,
            "decoder_feedforward": 512,
            "decoder_iou_hidden": 128,
            # One mask decoder both grounds words and tracks: two do not fit.
            "shared_decoder": True,
        },
    }
