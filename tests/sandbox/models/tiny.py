"""The tiny model: a Llama of two layers with random weights, the same bytes on every machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.sandbox.models import checkpoint
from tests.sandbox.models.checkpoint import Shape
from tests.sandbox.models.tokenizer import special_tokens, tokenizer_config, tokenizer_json

_HIDDEN, _INNER, _HEADS, _KV_HEADS, _HEAD_DIM = 64, 128, 4, 2, 32
_VOCABULARY, _CONTEXT, _LAYERS = 320, 2048, 2
_SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def make_tiny(directory: Path) -> None:
    """Write the checkpoint, tokenizer and configuration into `directory` (created if absent)."""
    directory.mkdir(parents=True, exist_ok=True)
    first = {"model.embed_tokens.weight": (_VOCABULARY, _HIDDEN), **_layer(0)}
    second = {
        **_layer(1),
        "model.norm.weight": (_HIDDEN,),
        "lm_head.weight": (_VOCABULARY, _HIDDEN),
    }
    total = 0
    where: dict[str, str] = {}
    for shard, shapes in zip(_SHARDS, (first, second), strict=True):
        total += checkpoint.write(directory / shard, shapes)
        where |= dict.fromkeys(shapes, shard)
    index = {"metadata": {"total_size": total}, "weight_map": where}
    documents = {
        "config.json": _config(),
        "generation_config.json": {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
        "model.safetensors.index.json": index,
        "special_tokens_map.json": special_tokens(),
        "tokenizer.json": tokenizer_json(),
        "tokenizer_config.json": tokenizer_config(_CONTEXT),
    }
    for name, document in documents.items():
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        (directory / name).write_text(text, encoding="utf-8")


def _layer(number: int) -> dict[str, Shape]:
    queries, keys = _HEADS * _HEAD_DIM, _KV_HEADS * _HEAD_DIM
    shapes: dict[str, Shape] = {
        "input_layernorm": (_HIDDEN,),
        "mlp.down_proj": (_HIDDEN, _INNER),
        "mlp.gate_proj": (_INNER, _HIDDEN),
        "mlp.up_proj": (_INNER, _HIDDEN),
        "post_attention_layernorm": (_HIDDEN,),
        "self_attn.k_proj": (keys, _HIDDEN),
        "self_attn.o_proj": (_HIDDEN, queries),
        "self_attn.q_proj": (queries, _HIDDEN),
        "self_attn.v_proj": (keys, _HIDDEN),
    }
    return {f"model.layers.{number}.{name}.weight": shape for name, shape in shapes.items()}


def _config() -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": _HIDDEN,
        "intermediate_size": _INNER,
        "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS,
        "num_key_value_heads": _KV_HEADS,
        "head_dim": _HEAD_DIM,
        "vocab_size": _VOCABULARY,
        "max_position_embeddings": _CONTEXT,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "torch_dtype": "bfloat16",
    }
