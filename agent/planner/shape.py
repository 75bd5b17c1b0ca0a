"""The architecture of a model, read off its config.json (of a multimodal one: `text_config`)."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.errors import SpecError
from agent.model import Value

FULL, WINDOW, LATENT, STATE = "full", "window", "latent", "state"
_DTYPES = {"bfloat16": "BF16", "float16": "F16", "half": "F16", "float32": "F32", "float": "F32"}


class Kind(Value, frozen=True, kw_only=True):
    """Layers that keep the same of a token. `window` in tokens; `state` in bytes per request.

    `width` = elements of one layer and token, keys and values, over all KV heads.
    """

    kind: str
    layers: int
    width: int
    window: int = 0
    state: int = 0


class Quant(Value, frozen=True, kw_only=True):
    """The checkpoint's `quantization_config`. `group` = inputs that share a scale, 0 = all."""

    method: str
    bits: int
    group: int = 0
    fp8: bool = False
    block: int = 0  # edge of a block that shares a scale, of FP8 block-wise checkpoints


class Model(Value, frozen=True, kw_only=True):
    """What of a model decides its memory. Widths in elements, `context` in tokens."""

    name: str
    architecture: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    context: int
    rotary: int
    dtype: str
    tied: bool
    kinds: tuple[Kind, ...]
    ropes: int = 1
    experts: int = 0
    expert_width: int = 0
    chosen: int = 0  # experts per token
    latent_rank: int = 0
    latent_up: int = 0  # elements of one layer's kv_b_proj
    vision: bool = False
    vision_heads: int = 0
    vision_layers: int = 0
    vision_hidden: int = 0
    quant: Quant | None = None


def model(name: str, config: Mapping[str, Any]) -> Model:
    """Read the architecture; raise `SpecError` when config.json lacks what a planner needs."""
    text: Mapping[str, Any] = config.get("text_config") or config.get("llm_config") or config
    try:
        found = _model(name, config, text)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise SpecError(f"{name}: config.json lacks or garbles {error}") from error
    if min(found.layers, found.hidden, found.heads, found.kv_heads, found.head_dim) < 1:
        raise SpecError(f"{name}: config.json has a number of layers, heads or widths below 1")
    return found


def _model(name: str, config: Mapping[str, Any], text: Mapping[str, Any]) -> Model:
    heads, hidden = int(text["num_attention_heads"]), int(text["hidden_size"])
    head_dim = int(text.get("head_dim") or hidden // heads)
    kv_heads = 1 if text.get("multi_query") else int(text.get("num_key_value_heads") or heads)
    latent = int(text.get("kv_lora_rank") or 0)
    rope_dim = int(text.get("qk_rope_head_dim") or 0)
    vision: Mapping[str, Any] = config.get("vision_config") or {}
    kinds = _kinds(text, kv_heads, head_dim, latent + rope_dim if latent else 0)
    return Model(
        name=name,
        architecture=str((config.get("architectures") or ["?"])[0]),
        layers=int(text["num_hidden_layers"]),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        intermediate=int(text.get("intermediate_size_mlp") or text["intermediate_size"]),
        vocab=int(text["vocab_size"]),
        context=_context(text),
        rotary=rope_dim or int(head_dim * float(text.get("partial_rotary_factor") or 1)),
        dtype=_DTYPES[_named(text, config)],
        tied=_tied(text, config),
        kinds=kinds,
        ropes=2 if "rope_local_base_freq" in text else 1,
        experts=_experts(text),
        expert_width=int(text.get("moe_intermediate_size") or text["intermediate_size"]),
        chosen=int(text.get("num_experts_per_tok") or 0),
        latent_rank=latent,
        latent_up=_latent_up(text, heads, latent),
        vision=bool(vision),
        vision_heads=int(vision.get("num_attention_heads") or vision.get("num_heads") or 1),
        vision_layers=int(
            vision.get("num_hidden_layers") or vision.get("depth") or 24 if vision else 0
        ),
        vision_hidden=int(vision.get("hidden_size") or 1024 if vision else 0),
        quant=_quant(config.get("quantization_config") or text.get("quantization_config")),
    )


def _named(text: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    found = next(
        (c[key] for c in (text, config) for key in ("dtype", "torch_dtype") if c.get(key)),
        "bfloat16",
    )
    return "bfloat16" if found == "float32" else str(found)  # "auto": engines load F32 as 16-bit


def _tied(text: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    default = str(text.get("model_type", "")).startswith(("gemma", "cohere"))
    return bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", default)))


def _context(text: Mapping[str, Any]) -> int:
    """Return the longest context, with what rope scaling adds where it counts from the original."""
    limit = int(text["max_position_embeddings"])
    scaling = text.get("rope_scaling") or text.get("rope_parameters") or {}
    original = scaling.get("original_max_position_embeddings")
    kind = scaling.get("rope_type") or scaling.get("type")
    if kind == "yarn" and original:
        return max(limit, int(float(scaling["factor"]) * int(original)))
    return limit


def _experts(text: Mapping[str, Any]) -> int:
    keys = ("num_experts", "n_routed_experts", "num_local_experts")
    return next((int(text[key]) for key in keys if text.get(key)), 0)


def _latent_up(text: Mapping[str, Any], heads: int, latent: int) -> int:
    if not latent:
        return 0
    return latent * heads * (int(text["qk_nope_head_dim"]) + int(text["v_head_dim"]))


def _kinds(text: Mapping[str, Any], kv_heads: int, head_dim: int, latent: int) -> tuple[Kind, ...]:
    if latent:
        return (Kind(kind=LATENT, layers=int(text["num_hidden_layers"]), width=latent),)
    width = kv_heads * 2 * head_dim
    types = _types(text)
    window = int(text.get("attention_chunk_size") or text.get("sliding_window") or 0)
    counted = (
        Kind(kind=FULL, layers=types.count(FULL), width=width),
        Kind(kind=WINDOW, layers=types.count(WINDOW), width=width, window=window),
        Kind(kind=STATE, layers=types.count(STATE), width=0, state=_state(text)),
    )
    return tuple(kind for kind in counted if kind.layers)


def _types(text: Mapping[str, Any]) -> Sequence[str]:
    """Say of each layer what it attends to; older configs give a pattern and no list."""
    layers = int(text["num_hidden_layers"])
    if text.get("layer_types"):
        return [_type(str(one)) for one in text["layer_types"]]
    if every := int(text.get("full_attention_interval") or 0):
        return [FULL if (i + 1) % every == 0 else STATE for i in range(layers)]
    if text.get("attention_chunk_size"):
        roped = text.get("no_rope_layers") or [(i + 1) % 4 for i in range(layers)]
        return [WINDOW if one else FULL for one in roped]
    if not text.get("sliding_window") or text.get("use_sliding_window") is False:
        return [FULL] * layers
    return _windows(text, layers)


def _windows(text: Mapping[str, Any], layers: int) -> Sequence[str]:
    family = str(text.get("model_type", ""))
    if family == "gemma2":
        return [WINDOW if i % 2 == 0 else FULL for i in range(layers)]
    every = int(text.get("sliding_window_pattern") or (6 if family == "gemma3_text" else 0))
    return [FULL if every and (i + 1) % every == 0 else WINDOW for i in range(layers)]


def _type(name: str) -> str:
    if "linear" in name or "mamba" in name:
        return STATE
    return WINDOW if "sliding" in name or "chunked" in name else FULL


def _state(text: Mapping[str, Any]) -> int:
    """Bytes of one gated-delta-net layer's state per request: 16-bit convolution, 32-bit memory."""
    if "linear_num_value_heads" not in text:
        return 0
    k_heads, v_heads = int(text["linear_num_key_heads"]), int(text["linear_num_value_heads"])
    k_dim, v_dim = int(text["linear_key_head_dim"]), int(text["linear_value_head_dim"])
    kernel = int(text["linear_conv_kernel_dim"])
    convolution = (2 * k_heads * k_dim + v_heads * v_dim) * (kernel - 1) * 2
    return convolution + v_heads * k_dim * v_dim * 4


def _quant(config: Mapping[str, Any] | None) -> Quant | None:
    if not config:
        return None
    method = str(config.get("quant_method", "?"))
    weights: Mapping[str, Any] = config
    for group in (config.get("config_groups") or {}).values():
        weights = group.get("weights") or {}
    bits = {"fp8": 8, "mxfp4": 4}.get(method) or int(
        weights.get("num_bits") or config.get("bits") or (4 if config.get("load_in_4bit") else 8)
    )
    block = config.get("weight_block_size") or weights.get("block_structure") or [0]
    return Quant(
        method=method,
        bits=bits,
        group=max(0, int(weights.get("group_size") or config.get("group_size") or 0)),
        fp8=method == "fp8" or str(config.get("quant_algo")) == "FP8" or _is_float8(weights),
        block=int(block[0]),
    )


def _is_float8(weights: Mapping[str, Any]) -> bool:
    return weights.get("type") == "float" and weights.get("num_bits") == 8
