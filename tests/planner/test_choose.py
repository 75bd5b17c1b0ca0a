"""The degree for a node, what is proposed instead, and how it is shown."""

from typing import Any

import pytest

from agent.planner import card, choose, table
from agent.planner.fit import fit, with_near
from agent.planner.ledger import Fit
from tests.planner.configs import FP8, checkpoint, wish

H100, L40S = card.declared("H100-SXM"), card.declared("L40S")


@pytest.mark.parametrize(
    ("model", "quant", "gpu", "gpus", "tp", "replicas", "spare"),
    [
        ("llama-3.1-8b", None, H100, 8, 1, 8, 0),
        ("llama-3.3-70b", FP8, H100, 8, 2, 4, 0),
        ("llama-3.3-70b", FP8, H100, 3, 2, 1, 1),
        ("mistral-large-2-123b", None, H100, 8, 4, 2, 0),
        ("qwen3-235b-a22b", FP8, H100, 8, 4, 2, 0),
        ("llama-3.3-70b", FP8, L40S, 8, 2, 4, 0),
    ],
)
def test_the_smallest_degree_and_as_many_replicas_as_there_are_gpus_for(
    model: str,
    quant: dict[str, Any] | None,
    gpu: card.Card,
    gpus: int,
    tp: int,
    replicas: int,
    spare: int,
) -> None:
    found = choose.choose(checkpoint(model, quant), gpu, wish(tp=99), gpus)
    assert found is not None
    assert (found.fit.wish.tp, found.replicas, found.spare) == (tp, replicas, spare)


def test_a_node_that_is_too_small_has_no_choice() -> None:
    model = checkpoint("mistral-large-2-123b")
    assert choose.choose(model, H100, wish(), 2) is None
    assert choose.widest(model, H100, wish(), 2) is None


def test_an_engine_that_lost_a_gpu_keeps_the_widest_degree_that_divides() -> None:
    model = checkpoint("llama-3.3-70b", FP8)
    widest = [choose.widest(model, H100, wish(), gpus) for gpus in (7, 4, 3, 1)]
    assert [one and one.wish.tp for one in widest] == [4, 4, 2, None]


def test_what_is_near_changes_one_thing() -> None:
    found = with_near(checkpoint("llama-3.3-70b"), H100, wish(tp=2, context=32768), 8)
    assert not found.fits
    said = {near.message: near.wish for near in found.near}
    assert said.keys() == {"a context of 9,216 tokens", "4 GPUs", "8 GPUs", "weights in FP8"}
    assert said["4 GPUs"] == wish(tp=4, context=32768)
    assert said["weights in FP8"] == wish(tp=2, context=32768, quantize="fp8_per_tensor")


def test_the_longest_context_is_the_longest() -> None:
    near = with_near(checkpoint("llama-3.3-70b"), H100, wish(tp=2, context=32768), 2).near[0]
    assert fit(checkpoint("llama-3.3-70b"), H100, near.wish).fits
    longer = wish(tp=2, context=near.wish.context + 1024)
    assert not fit(checkpoint("llama-3.3-70b"), H100, longer).fits


def test_nothing_is_proposed_for_what_fits() -> None:
    assert with_near(checkpoint("llama-3.1-8b"), H100, wish(), 8).near == ()


def shown(*engines: str, **changes: Any) -> tuple[list[Fit], str]:
    model = checkpoint("llama-3.3-70b")
    fits = [with_near(model, H100, wish(engine, **changes), 4) for engine in engines]
    return fits, table.render(fits)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_table_is_no_wider_than_a_terminal(count: int) -> None:
    _, text = shown(*("vllm", "sglang", "tgi", "vllm", "tgi")[:count], tp=2, quantize="fp8")
    assert max(map(len, text.splitlines())) <= 100


def test_a_table_says_what_the_memory_goes_to() -> None:
    (one,), text = shown("vllm", tp=4)
    rows = {line[:16].strip(): line[16:].strip() for line in text.splitlines()}
    assert one.ledger is not None
    assert rows["GiB a GPU"] == "vllm 4×H100-SXM"
    assert rows["weights"] == "32.89"
    assert rows["fits"] == "yes"
    assert rows["KV tokens"] == f"{one.tokens:,}"
    parts = [name for name, _ in one.ledger.parts()]
    assert sum(float(rows[name]) for name in parts) == pytest.approx(79.19, abs=0.05)


def test_a_table_explains_what_does_not_fit() -> None:
    _, text = shown("vllm", "tgi", tp=1)
    assert "fits                                NO" in text
    assert "vllm 1×H100-SXM: weights (131.4 GiB a GPU), activation" in text
    assert "  would fit: 4 GPUs" in text


def test_a_table_of_a_refusal_has_no_numbers() -> None:
    _, text = shown("vllm", tp=3)
    assert "KV tokens                            -" in text
    assert "must be divisible by tensor parallel size (3)." in text
