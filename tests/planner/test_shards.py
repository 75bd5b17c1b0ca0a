"""Which part of a tensor lies on a rank, and how engines turn KV bytes into tokens."""

import pytest
from msgspec.structs import replace

from agent.planner import card, kv, shape, shards
from agent.planner.checkpoint import Checkpoint, Tensor
from agent.planner.fit import fit
from agent.planner.wish import Version
from tests.planner.configs import FP8, checkpoint, config, wish

LLAMA = shape.model("llama", config("llama-3.1-8b"))
MOE = shape.model("moe", config("qwen3-30b-a3b"))
VISION = shape.model("small", config("mistral-small-3.1-24b"))


def tensor(name: str, *size: int) -> Tensor:
    return Tensor(name=name, dtype="BF16", shape=size or (64, 64))


@pytest.mark.parametrize(
    ("name", "tp", "part"),
    [
        ("model.layers.0.self_attn.q_proj.weight", 4, 1 / 4),
        ("model.layers.0.self_attn.q_proj.bias", 4, 1 / 4),
        ("model.layers.0.self_attn.k_proj.weight", 4, 1 / 4),
        ("model.layers.0.self_attn.v_proj.weight", 16, 1 / 8),  # 8 KV heads: replicated
        ("model.layers.0.self_attn.qkv_proj.weight", 16, (2 + 2) / 48),
        ("model.layers.0.self_attn.o_proj.weight", 4, 1 / 4),
        ("model.layers.0.self_attn.o_proj.bias", 4, 1),
        ("model.layers.0.mlp.down_proj.qweight", 2, 1 / 2),
        ("model.layers.0.mlp.down_proj.weight_scale", 2, 1 / 2),
        ("model.layers.0.input_layernorm.weight", 8, 1),
        ("model.layers.0.self_attn.kv_a_proj_with_mqa.weight", 8, 1),
        ("model.layers.0.mlp.gate.weight", 8, 1),
        ("model.embed_tokens.weight", 8, 1 / 8),
        ("lm_head.weight", 8, 1 / 8),
        ("model.norm.weight", 1, 1),
    ],
)
def test_the_share_of_a_rank(name: str, tp: int, part: float) -> None:
    assert shards.share(tensor(name), LLAMA, tp) == pytest.approx(part)


def test_a_scale_for_each_output_lies_whole_beside_a_split_input() -> None:
    scale = tensor("model.layers.0.mlp.down_proj.weight_scale", 4096, 1)
    assert shards.share(scale, LLAMA, 4) == 1


def test_experts_are_split_or_spread() -> None:
    expert = tensor("model.layers.0.mlp.experts.7.down_proj.weight")
    assert shards.share(expert, MOE, 8) == 1 / 8
    assert shards.share(expert, MOE, 3, by_expert=True) == pytest.approx(43 / 128)
    shared = tensor("model.layers.0.mlp.shared_experts.down_proj.weight")
    assert shards.share(shared, MOE, 8, by_expert=True) == 1 / 8


def test_a_vision_tower_is_split_by_its_own_heads() -> None:
    tower = tensor("vision_tower.transformer.layers.0.attention.k_proj.weight")
    assert shards.share(tower, VISION, 4) == 1 / 4
    assert shards.share(tower, VISION, 3) == 1
    assert shards.share(tensor("vision_tower.patch_conv.weight"), VISION, 4) == 1


@pytest.mark.parametrize(
    ("layers", "pp", "sizes"),
    [(32, 1, [32]), (32, 4, [8, 8, 8, 8]), (61, 4, [15, 15, 16, 15]), (10, 4, [2, 3, 3, 2])],
)
def test_stages_are_uneven_as_vllm_makes_them(layers: int, pp: int, sizes: list[int]) -> None:
    found = shards.stages(layers, pp)
    assert [len(stage) for stage in found] == sizes
    assert [number for stage in found for number in stage] == list(range(layers))


def test_each_stage_holds_its_layers_and_its_end() -> None:
    first, last = shards.stages(LLAMA.layers, 2)
    held = {
        "model.embed_tokens.weight": (True, False),
        "lm_head.weight": (False, True),
        "model.norm.weight": (False, True),
        "model.layers.15.mlp.up_proj.weight": (True, False),
        "model.layers.16.mlp.up_proj.weight": (False, True),
    }
    for name, where in held.items():
        on = (
            shards.on_stage(tensor(name), LLAMA, first),
            shards.on_stage(tensor(name), LLAMA, last),
        )
        assert on == where, name
    tied = shape.model("tied", config("gemma-2-27b"))
    ends = shards.stages(tied.layers, 2)
    assert all(shards.on_stage(tensor("model.embed_tokens.weight"), tied, end) for end in ends)


@pytest.mark.parametrize(
    ("name", "tp", "size", "bytes_a_token"),
    [
        ("llama-3.3-70b", 1, 2, 327_680),
        ("llama-3.3-70b", 8, 2, 40_960),
        ("llama-3.3-70b", 16, 2, 40_960),
        ("llama-3.3-70b", 1, 1, 163_840),
        ("deepseek-r1", 8, 2, 70_272),  # 61 × 576 × 2, on each rank
    ],
)
def test_the_bytes_of_a_token(name: str, tp: int, size: float, bytes_a_token: int) -> None:
    facts = shape.model(name, config(name))
    assert kv.all_tokens(facts.kinds, facts, wish(tp=tp), size) == bytes_a_token


def test_windows_hold_more_requests_where_the_engine_makes_use_of_them() -> None:
    def tokens(version: Version, context: int) -> int:
        asked = replace(wish(context=context, prefill=2048), version=version)
        return fit(checkpoint("gemma-3-27b"), card.declared("H200"), asked).tokens

    old, new = Version(major=0, minor=19), Version(major=0, minor=33)
    assert tokens(old, 8192) == pytest.approx(tokens(old, 131072), rel=0.01)
    assert tokens(new, 131072) > 3 * tokens(old, 131072)
    assert tokens(new, 131072) > 2 * tokens(new, 8192)


def test_online_and_stored_fp8_weigh_the_same_but_for_scales() -> None:
    gpu = card.declared("H200")
    online = fit(checkpoint("llama-3.3-70b"), gpu, wish(quantize="fp8")).ledger
    stored = fit(checkpoint("llama-3.3-70b", FP8), gpu, wish()).ledger
    assert online is not None
    assert stored is not None
    assert 0 < stored.weights - online.weights < 40 << 20


def test_a_head_that_the_tied_embeddings_are_counts_once() -> None:
    tied = checkpoint("gemma-2-2b")
    head = Tensor(name="lm_head.weight", dtype="BF16", shape=(256000, 2304))
    gpu = card.declared("H100-SXM")
    once, twice = (fit(one, gpu, wish()).ledger for one in (tied, with_tensor(tied, head)))
    assert once is not None
    assert twice is not None
    assert once.weights == twice.weights


def with_tensor(had: Checkpoint, more: Tensor) -> Checkpoint:
    return replace(had, tensors=(*had.tensors, more))
