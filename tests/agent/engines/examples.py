"""Engine specs for the tests; every one is valid."""

from typing import Any

import msgspec

from agent.spec import EngineSpec

DIGEST = "a" * 64
COMMIT = "1ad94ef57e59e3480634b4283de3c6d477f4d21f"
WEIGHTS = f"/var/lib/stoker/models/stoker--tiny-llama/{COMMIT}"
GPUS = ("GPU-11111111-0000-0000-0000-000000000000", "GPU-22222222-0000-0000-0000-000000000000")


def engine(kind: str, **changes: Any) -> EngineSpec:
    """An engine of two GPUs, validated like one from group_data."""
    values = {
        "kind": kind,
        "image": f"registry.example/{kind}@sha256:{DIGEST}",
        "model": "stoker/tiny-llama",
        "revision": COMMIT,
        "gpus": 2,
        **changes,
    }
    return msgspec.convert(values, EngineSpec)


EXAMPLES: dict[str, EngineSpec] = {
    "tgi-plain": engine("tgi"),
    "tgi-full": engine(
        "tgi",
        gpus=1,
        served_name="chat",
        port=8081,
        max_input_tokens=1000,
        max_total_tokens=2000,
        max_batch_prefill_tokens=1500,
        max_concurrent_requests=32,
        quantize="fp8",
        trust_remote_code=True,
        memory_gib=64,
        drain_deadline=12.5,
        environment={"ATTENTION": "paged"},
        extra_args=("--cuda-graphs", "0"),
    ),
    "vllm-plain": engine("vllm"),
    "vllm-full": engine(
        "vllm",
        served_name="chat",
        port=8081,
        max_total_tokens=16384,
        max_batch_prefill_tokens=4096,
        dtype="bfloat16",
        quantize="fp8_per_tensor",
        trust_remote_code=True,
        extra_args=("--gpu-memory-utilization", "0.9"),
    ),
    "vllm-cpu": engine(
        "vllm",
        gpus=0,
        served_name="smollm2",
        max_input_tokens=1024,
        max_total_tokens=2048,
        dtype="bfloat16",
        shm_gib=1,
        environment={"VLLM_CPU_KVCACHE_SPACE": "2"},
        extra_args=("--enforce-eager", "--max-num-seqs", "8"),
    ),
    "sglang-plain": engine("sglang"),
    "sglang-full": engine(
        "sglang",
        served_name="chat",
        port=8081,
        max_total_tokens=16384,
        max_batch_prefill_tokens=4096,
        max_concurrent_requests=64,
        dtype="bfloat16",
        quantize="fp8",
        trust_remote_code=True,
        shm_gib=32,
        memory_gib=128,
        extra_args=("--mem-fraction-static", "0.86"),
    ),
}
