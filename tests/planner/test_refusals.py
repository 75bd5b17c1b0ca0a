"""What an engine refuses before memory matters, in the engine's words where it has some."""

from typing import Any

import pytest

from agent.planner import card
from agent.planner.fit import fit
from tests.planner.configs import AWQ, FP8, FP8_BLOCKS, checkpoint, wish

HEADS = "Total number of attention heads (32) must be divisible by tensor parallel size (3)."


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
@pytest.mark.parametrize(
    ("model", "quant", "gpu", "changes", "reason", "message"),
    [
        ("llama-3.1-8b", None, "H100-SXM", {"tp": 3}, "HeadsDoNotDivide", HEADS),
        (
            "phi-4",
            None,
            "H100-SXM",
            {"tp": 4},
            "KvHeadsDoNotDivide",
            "10 key-value heads can neither be split nor replicated over 4 ranks",
        ),
        (
            "qwen3-30b-a3b",
            FP8_BLOCKS,
            "H100-SXM",
            {"tp": 4},
            "BlocksDoNotDivide",
            "The output_size of gate's and up's weight = 192 is not divisible by weight"
            " quantization block_n = 128. To avoid it, use expert parallelism",
        ),
        (
            "qwen2.5-7b",
            AWQ,
            "H100-SXM",
            {"tp": 7},
            "KvHeadsDoNotDivide",
            "4 key-value heads can neither be split",
        ),
        (
            "qwen2.5-7b",
            AWQ,
            "H100-SXM",
            {"tp": 4, "context": 4096},
            "Fits",
            "tokens of KV cache hold 1 × 4,096 tokens",
        ),
        (
            "qwen2.5-72b",
            AWQ,
            "H100-SXM",
            {"tp": 8},
            "BlocksDoNotDivide",
            "Weight input_size_per_partition = 3696 is not divisible by group_size = 128. To avoid"
            " it, use fewer ranks",
        ),
        (
            "qwen3-8b",
            None,
            "H100-SXM",
            {"context": 65536},
            "ContextTooLong",
            "a context of 65,536 tokens is more than the model's 40,960; ",
        ),
        (
            "llama-3.1-8b",
            None,
            "T4",
            {},
            "NoBfloat16",
            "T4 has no bfloat16 (compute capability 7.5 < 8.0); use dtype float16",
        ),
        ("llama-3.1-8b", FP8, "T4", {"dtype": "float16"}, "NoFp8", "T4 is too old for FP8 weights"),
    ],
)
def test_the_reason_and_the_sentence(
    engine: str,
    model: str,
    quant: dict[str, Any] | None,
    gpu: str,
    changes: dict[str, Any],
    reason: str,
    message: str,
) -> None:
    found = fit(checkpoint(model, quant), card.declared(gpu), wish(engine, **changes))
    assert found.reason == reason
    assert message in found.message


def test_vllm_wants_its_fraction_free_at_start() -> None:
    found = fit(checkpoint("qwen3-8b"), card.declared("L4"), wish(fraction=0.99))
    assert found.reason == "FractionNotFree"
    assert found.message == (
        "Free memory on device (21.7 GiB/22.0 GiB) on startup is less than desired GPU memory"
        " utilization (0.99, 21.8 GiB)"
    )


@pytest.mark.parametrize(
    ("model", "changes", "reason", "message"),
    [
        ("llama-3.1-8b", {"tp": 3}, "HeadsDoNotDivide", "32 heads are not divisible by 3 shards"),
        (
            "qwen2.5-72b",
            {"tp": 16},
            "HeadsDoNotDivide",
            "8 key-value heads are not divisible by 16 shards",
        ),
        ("llama-3.1-8b", {"pp": 2}, "NoPipeline", "TGI has no pipeline parallelism"),
        ("gpt-oss-20b", {}, "NotSupported", "TGI 3.3 cannot serve GptOssForCausalLM"),
    ],
)
def test_tgi_has_its_own(model: str, changes: dict[str, Any], reason: str, message: str) -> None:
    found = fit(checkpoint(model), card.declared("H100-SXM"), wish("tgi", **changes))
    assert (found.reason, found.message) == (reason, message)


@pytest.mark.parametrize(
    ("model", "quant", "engine", "gpu", "changes", "warning"),
    [
        ("llama-3.3-70b", FP8, "vllm", "A100-80-SXM", {"tp": 2}, "has no FP8 arithmetic"),
        ("llama-3.1-8b", None, "vllm", "L4", {"tp": 2}, "L4 has no NVLink: 2 ranks share PCIe"),
        ("llama-3.1-8b", None, "tgi", "H100-SXM", {"quantize": "fp8"}, "in 16 bits"),
        ("llama-4-scout", None, "tgi", "H200", {"quantize": "fp8"}, "silently ignored there"),
        ("qwen3-8b", None, "tgi", "H100-SXM", {}, "runs through transformers in TGI"),
        ("llama-3.1-8b", None, "vllm", "H100-SXM", {"quantize": "bitsandbytes"}, "plugin package"),
    ],
)
def test_warnings(
    model: str,
    quant: dict[str, Any] | None,
    engine: str,
    gpu: str,
    changes: dict[str, Any],
    warning: str,
) -> None:
    found = fit(checkpoint(model, quant), card.declared(gpu), wish(engine, **changes))
    assert any(warning in one for one in found.warnings), found.warnings


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_nothing_to_warn_of(engine: str) -> None:
    found = fit(checkpoint("llama-3.1-8b"), card.declared("H100-SXM"), wish(engine))
    assert found.fits
    assert found.warnings == ()
