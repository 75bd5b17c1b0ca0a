"""The hardware table of a widely read TGI tutorial, with the true verdicts.

Where it says that a model fits and it does not, the reason stands beside it.
"""

from typing import Any

import pytest

from agent.planner import card
from agent.planner.fit import fit
from tests.planner.configs import AWQ, FP8, FP8_BLOCKS, checkpoint, wish

LLAMA, SCOUT, QWEN = "llama-3.3-70b", "llama-4-scout", "qwen3-30b-a3b"
SMALL, LARGE = "mistral-small-3.1-24b", "mistral-large-2-123b"
H100, H200, A100 = "H100-SXM", "H200", "A100-80-SXM"
Row = tuple[str, dict[str, Any] | None, str, str, dict[str, Any], str]

ROWS: list[Row] = [
    # The tutorial: "fits one H100 at 75 GB". TGI's online FP8 leaves 86.1e9 bytes.
    (LLAMA, None, "tgi", H100, {"quantize": "fp8"}, "NoRoomForKv"),
    (LLAMA, FP8, "tgi", H100, {}, "KvTooSmall"),
    (LLAMA, FP8, "tgi", H100, {"kv_dtype": "fp8_e4m3fn", "wiggle": 0.97, "prefill": 2048}, "Fits"),
    (LLAMA, FP8, "tgi", H100, {"tp": 2}, "Fits"),
    (LLAMA, FP8, "vllm", H100, {}, "KvTooSmall"),
    (LLAMA, FP8, "vllm", H100, {"context": 2048}, "Fits"),
    (LLAMA, FP8, "vllm", H100, {"tp": 2}, "Fits"),
    (LLAMA, FP8, "vllm", A100, {"tp": 2}, "Fits"),
    (LLAMA, FP8, "vllm", H200, {}, "Fits"),
    # BF16: 141.1e9 bytes are less than an H200 has, and all that TGI and vLLM would leave of it.
    (LLAMA, None, "tgi", H200, {}, "NoRoomForKv"),
    (LLAMA, None, "vllm", H200, {}, "NoRoomForKv"),
    (LLAMA, None, "vllm", H100, {}, "NoRoomForKv"),
    (LLAMA, None, "vllm", H100, {"tp": 2}, "Fits"),
    (LLAMA, None, "vllm", H100, {"tp": 2, "context": 32768}, "KvTooSmall"),
    (LLAMA, None, "tgi", H100, {"tp": 2}, "TooTight"),
    (LLAMA, None, "tgi", H100, {"tp": 4}, "Fits"),
    (LLAMA, None, "sglang", H100, {"tp": 2}, "NoRoomForKv"),
    (LLAMA, None, "vllm", H200, {"tp": 2}, "Fits"),
    (LLAMA, AWQ, "vllm", A100, {}, "Fits"),
    # The tutorial: "--quantize fp8 on two H100". It is silently ignored: 217e9 bytes.
    (SCOUT, None, "tgi", H100, {"tp": 2, "quantize": "fp8"}, "NoRoomForKv"),
    (SCOUT, None, "vllm", H100, {"tp": 2}, "NoRoomForKv"),
    (SCOUT, None, "vllm", H100, {"tp": 4}, "Fits"),
    (SCOUT, None, "vllm", H100, {"tp": 3}, "HeadsDoNotDivide"),
    (SCOUT, FP8, "vllm", H100, {"tp": 2}, "Fits"),
    (SCOUT, FP8, "vllm", H100, {}, "NoRoomForKv"),
    (SCOUT, None, "vllm", H200, {"tp": 2}, "Fits"),
    (QWEN, None, "vllm", H100, {}, "Fits"),
    (QWEN, None, "vllm", A100, {}, "Fits"),
    (QWEN, None, "sglang", H100, {}, "Fits"),
    (QWEN, None, "vllm", "A100-40-SXM", {}, "NoRoomForKv"),
    # 768 columns of an expert over four ranks are 192: no whole blocks of 128.
    (QWEN, FP8_BLOCKS, "vllm", H100, {"tp": 4}, "BlocksDoNotDivide"),
    (QWEN, FP8_BLOCKS, "vllm", H100, {"tp": 4, "expert_parallel": True}, "Fits"),
    (SMALL, None, "vllm", A100, {}, "Fits"),
    (SMALL, None, "tgi", H100, {}, "Fits"),
    (SMALL, None, "vllm", "L4", {}, "NoRoomForKv"),
    (SMALL, None, "vllm", "L40S", {}, "NoRoomForKv"),
    (LARGE, None, "vllm", H100, {"tp": 2}, "NoRoomForKv"),
    (LARGE, None, "vllm", H100, {"tp": 4}, "Fits"),
    (LARGE, None, "vllm", H200, {"tp": 2}, "Fits"),
    (LARGE, FP8, "vllm", H100, {"tp": 2}, "Fits"),
    (LARGE, FP8, "vllm", H200, {}, "Fits"),
]


@pytest.mark.parametrize(("model", "quant", "engine", "gpu", "changes", "reason"), ROWS)
def test_the_verdict(
    model: str,
    quant: dict[str, Any] | None,
    engine: str,
    gpu: str,
    changes: dict[str, Any],
    reason: str,
) -> None:
    found = fit(checkpoint(model, quant), card.declared(gpu), wish(engine, **changes))
    assert found.reason == reason, found.message
    assert found.fits == (reason == "Fits")


@pytest.mark.parametrize(
    ("model", "quant", "engine", "changes", "size"),
    [
        (LLAMA, None, "tgi", {"quantize": "fp8"}, 86.1e9),
        (LLAMA, FP8, "tgi", {}, 72.7e9),
        (LLAMA, None, "tgi", {}, 141.1e9),
        (SCOUT, None, "tgi", {"quantize": "fp8"}, 217.2e9),
        (SCOUT, None, "tgi", {"quantize": "bitsandbytes"}, 207.3e9),
        (LLAMA, None, "tgi", {"quantize": "bitsandbytes-nf4"}, 42.7e9),
        (LLAMA, None, "vllm", {"quantize": "fp8"}, 72.7e9),
    ],
)
def test_the_weights_of_one_rank(
    model: str, quant: dict[str, Any] | None, engine: str, changes: dict[str, Any], size: float
) -> None:
    ledger = fit(checkpoint(model, quant), card.declared(H200), wish(engine, **changes)).ledger
    assert ledger is not None
    assert ledger.weights == pytest.approx(size, rel=2e-3)
