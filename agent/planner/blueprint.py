"""The tensors of a checkpoint drawn from its config.json alone, where no header can be read.

Exact for what these families keep (Llama, Mistral, Mixtral, Qwen 2 and 3, Gemma, Granite, Phi-3,
DeepSeek, Llama 4, gpt-oss); a vision tower is drawn as a plain transformer, a few percent off.
Headers are better: `checkpoint.read`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.planner.checkpoint import Checkpoint, Tensor
from agent.planner.shape import Model, model
from agent.planner.units import ceil_div


def draw(name: str, config: Mapping[str, Any]) -> Checkpoint:
    """Draw the tensors of the model that `config` describes; raise `SpecError` if it does not."""
    facts = model(name, config)
    text: Mapping[str, Any] = config.get("text_config") or config
    tensors = [*_ends(facts), *_vision(facts, config)]
    for layer in range(facts.layers):
        tensors += _layer(facts, text, layer)
    return Checkpoint(name=name, config=dict(config), tensors=tuple(tensors), drawn=True)


def _ends(facts: Model) -> Iterator[Tensor]:
    yield _plain("model.embed_tokens.weight", facts, facts.vocab, facts.hidden)
    yield _plain("model.norm.weight", facts, facts.hidden)
    if not facts.tied:
        yield _plain("lm_head.weight", facts, facts.vocab, facts.hidden)


def _layer(facts: Model, text: Mapping[str, Any], layer: int) -> Iterator[Tensor]:
    at = f"model.layers.{layer}"
    family = str(text.get("model_type", ""))
    for number in range(4 if family in {"gemma2", "gemma3_text"} else 2):
        yield _plain(f"{at}.norm_{number}.weight", facts, facts.hidden)
    yield from _latent(facts, text, at) if facts.latent_rank else _attention(facts, text, at)
    dense = layer < int(text.get("first_k_dense_replace") or 0) or not facts.experts
    if dense:
        yield from _mlp(facts, f"{at}.mlp", facts.intermediate)
    else:
        yield from _experts(facts, text, at)


def _attention(facts: Model, text: Mapping[str, Any], at: str) -> Iterator[Tensor]:
    q, kv = facts.heads * facts.head_dim, facts.kv_heads * facts.head_dim
    family = str(text.get("model_type", ""))
    biased = bool(text.get("attention_bias", family.startswith("qwen2")))
    for name, out in (("q_proj", q), ("k_proj", kv), ("v_proj", kv)):
        yield from _linear(f"{at}.self_attn.{name}", facts, facts.hidden, out)
        if biased:
            yield _plain(f"{at}.self_attn.{name}.bias", facts, out)
    yield from _linear(f"{at}.self_attn.o_proj", facts, q, facts.hidden)
    if family.startswith(("qwen3", "gemma3")):
        yield _plain(f"{at}.self_attn.q_norm.weight", facts, facts.head_dim)
        yield _plain(f"{at}.self_attn.k_norm.weight", facts, facts.head_dim)


def _latent(facts: Model, text: Mapping[str, Any], at: str) -> Iterator[Tensor]:
    query = facts.heads * (int(text["qk_nope_head_dim"]) + facts.rotary)
    rank = int(text.get("q_lora_rank") or 0)
    attention = f"{at}.self_attn"
    if rank:
        yield from _linear(f"{attention}.q_a_proj", facts, facts.hidden, rank)
        yield from _linear(f"{attention}.q_b_proj", facts, rank, query)
    else:
        yield from _linear(f"{attention}.q_proj", facts, facts.hidden, query)
    down = facts.latent_rank + facts.rotary
    yield from _linear(f"{attention}.kv_a_proj_with_mqa", facts, facts.hidden, down)
    up = facts.latent_up // facts.latent_rank
    yield from _linear(f"{attention}.kv_b_proj", facts, facts.latent_rank, up)
    values = facts.heads * int(text["v_head_dim"])
    yield from _linear(f"{attention}.o_proj", facts, values, facts.hidden)


def _mlp(facts: Model, at: str, width: int, count: int = 1) -> Iterator[Tensor]:
    yield from _linear(f"{at}.gate_proj", facts, facts.hidden, width, count)
    yield from _linear(f"{at}.up_proj", facts, facts.hidden, width, count)
    yield from _linear(f"{at}.down_proj", facts, width, facts.hidden, count)


def _experts(facts: Model, text: Mapping[str, Any], at: str) -> Iterator[Tensor]:
    yield _plain(f"{at}.mlp.gate.weight", facts, facts.experts, facts.hidden)
    yield from _mlp(facts, f"{at}.mlp.experts.0", facts.expert_width, facts.experts)
    family = str(text.get("model_type", ""))
    shared = int(text.get("shared_expert_intermediate_size") or 0)
    shared += int(text.get("n_shared_experts") or 0) * facts.expert_width
    if shared or family.startswith("llama4"):
        yield from _mlp(facts, f"{at}.mlp.shared_expert", shared or facts.expert_width)


def _linear(at: str, facts: Model, into: int, out: int, count: int = 1) -> Iterator[Tensor]:
    """Draw a linear layer's weight as the checkpoint's quantisation stores it."""
    quant = facts.quant
    if quant is None or (quant.method == "mxfp4" and "experts" not in at):
        yield _tensor(f"{at}.weight", facts.dtype, (out, into), count)
    elif quant.bits == 8:
        dtype = "F8_E4M3" if quant.method != "gptq" else "I8"
        yield _tensor(f"{at}.weight", dtype, (out, into), count)
        if quant.block:
            tiles = (ceil_div(out, quant.block), ceil_div(into, quant.block))
            yield _tensor(f"{at}.weight_scale_inv", "F32", tiles, count)
        else:
            yield _tensor(f"{at}.weight_scale", "F32", (out, 1), count)
    else:
        group = quant.group or (32 if quant.method == "mxfp4" else into)
        groups = ceil_div(into, group)
        yield _tensor(f"{at}.qweight", "I32", (ceil_div(into, 8), out), count)
        scale = "U8" if quant.method == "mxfp4" else "F16"
        yield _tensor(f"{at}.scales", scale, (groups, out), count)
        if quant.method in {"awq", "gptq"}:
            yield _tensor(f"{at}.qzeros", "I32", (groups, ceil_div(out, 8)), count)


def _vision(facts: Model, config: Mapping[str, Any]) -> Iterator[Tensor]:
    vision: Mapping[str, Any] = config.get("vision_config") or {}
    if not vision:
        return
    width = facts.vision_hidden
    inner = int(vision.get("intermediate_size") or 4 * width)
    patch = int(vision.get("patch_size") or 14)
    yield _plain("vision_tower.patch_conv.weight", facts, width, 3 * patch * patch)
    mlp = ("gate_proj", "up_proj") if vision.get("model_type") == "pixtral" else ("fc1",)
    for layer in range(facts.vision_layers):
        at = f"vision_tower.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            yield _plain(f"{at}.{name}.weight", facts, width, width)
        for name in mlp:
            yield _plain(f"{at}.{name}.weight", facts, inner, width)
        yield _plain(f"{at}.down_proj.weight", facts, width, inner)
    yield _plain("multi_modal_projector.linear.weight", facts, facts.hidden, width)


def _plain(name: str, facts: Model, *shape: int) -> Tensor:
    return _tensor(name, facts.dtype, shape, 1)


def _tensor(name: str, dtype: str, shape: tuple[int, ...], count: int) -> Tensor:
    return Tensor(name=name, dtype=dtype, shape=shape, count=count)
