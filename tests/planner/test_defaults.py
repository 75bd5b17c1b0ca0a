"""What engines take when they are not told, and what they do with it."""

import pytest

from agent.planner import card, sglang, shape, vllm
from agent.planner.fit import fit
from agent.planner.units import GIB
from tests.planner.configs import checkpoint, config, wish

H100 = card.declared("H100-SXM")


@pytest.mark.parametrize(
    ("gpu", "batch"),
    [
        ("L4", (2048, 256)),
        ("A100-40-SXM", (2048, 256)),
        ("H100-SXM", (8192, 1024)),
        ("B200", (16384, 1024)),
    ],
)
def test_vllm_takes_larger_steps_on_larger_cards(gpu: str, batch: tuple[int, int]) -> None:
    assert vllm.batch(card.declared(gpu), wish()) == batch
    assert vllm.batch(card.declared(gpu), wish(prefill=512, sequences=16)) == (512, 16)


@pytest.mark.parametrize(
    ("gpu", "tp", "chunk", "decode"),
    [
        ("T4", 1, 2048, 8),
        ("L4", 1, 4096, 48),
        ("L4", 4, 4096, 160),
        ("L40S", 1, 4096, 32),
        ("H100-SXM", 1, 8192, 256),
        ("H200", 8, 8192, 512),
        ("B200", 1, 16384, 512),
    ],
)
def test_sglang_goes_by_the_memory(gpu: str, tp: int, chunk: int, decode: int) -> None:
    asked = wish("sglang", tp=tp)
    found = card.declared(gpu)
    assert (sglang.chunk(found, asked), sglang.decode(found, asked)) == (chunk, decode)


@pytest.mark.parametrize(
    ("model", "gpu", "fraction"),
    [
        (
            "llama-3.1-8b",
            "H100-SXM",
            0.830,
        ),  # 512 + 1.5 × 8192 + 128 + 2 × 256 + 8 × 58 MiB of 81559
        ("mistral-small-3.1-24b", "H100-SXM", 0.7885),  # for its tower 5 % less
        ("deepseek-r1", "H200", 0.896),  # MLA: 1.5 GiB for the graphs of prefills
        ("llama-3.1-8b", "L4", 0.679),  # 512 + 1.5 × 4096 + 128 + 2 × 48 + 8 × 50 MiB
    ],
)
def test_sglang_sets_its_fraction(model: str, gpu: str, fraction: float) -> None:
    facts = shape.model(model, config(model))
    assert sglang.fraction(facts, card.declared(gpu), wish("sglang")) == pytest.approx(fraction)


def test_sglang_has_to_do_with_what_its_fraction_leaves() -> None:
    """Nothing checks it at start: a step takes more than the 2.4 GiB that are left, and dies."""
    found = fit(checkpoint("qwen3-30b-a3b"), H100, wish("sglang", fraction=0.97, prefill=32768))
    assert found.reason == "NoSpare"
    assert "0.00 GiB are left" in found.message
    assert fit(checkpoint("qwen3-30b-a3b"), H100, wish("sglang", fraction=0.9)).fits


def test_sglang_loads_all_in_16_bits_before_it_quantises() -> None:
    asked = wish("sglang", quantize="fp8")
    found = fit(checkpoint("llama-3.3-70b"), card.declared("H200"), asked)
    assert found.tokens == pytest.approx((139.8 - 0.53 - 131.5) * GIB / 327_680, rel=0.02)
    assert fit(checkpoint("llama-3.3-70b"), H100, asked).reason == "NoRoomForKv"


def test_graphs_cost_memory_unless_they_are_off() -> None:
    with_graphs, without = (
        fit(checkpoint("llama-3.1-8b"), H100, wish(graphs=graphs)).ledger
        for graphs in (True, False)
    )
    assert with_graphs is not None
    assert without is not None
    assert without.graphs == 0
    assert without.kv - with_graphs.kv == with_graphs.graphs > GIB // 2


def test_chunked_attention_is_captured_in_pieces_only() -> None:
    scout = fit(checkpoint("llama-4-scout"), H100, wish(tp=4)).ledger
    assert scout is not None
    assert scout.graphs == pytest.approx(1.09 * GIB, rel=0.1)  # "Estimated CUDA graph memory"
