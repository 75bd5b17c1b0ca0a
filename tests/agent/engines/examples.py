"""Engine specs for the tests; every one is valid. Twelve of each engine have golden files."""

from typing import Any

import msgspec

from agent.spec import EngineSpec

DIGEST = "a" * 64
COMMIT = "1ad94ef57e59e3480634b4283de3c6d477f4d21f"
ROOT = "/var/lib/stoker/models"
WEIGHTS = f"{ROOT}/stoker--tiny-llama/{COMMIT}"
GPUS = ("GPU-11111111-0000-0000-0000-000000000000", "GPU-22222222-0000-0000-0000-000000000000")
DRAFT = f"stoker/draft@{'d' * 40}"
ADAPTERS = {"sql": f"stoker/sql-adapter@{'e' * 40}", "legal": f"stoker/legal-adapter@{'f' * 40}"}


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


def gpus(spec: EngineSpec) -> tuple[str, ...]:
    """As many GPUs as the engine wants."""
    return (GPUS * 4)[: spec.gpus]


TGI: dict[str, EngineSpec] = {
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
    "tgi-eight-gpus": engine("tgi", gpus=8, tensor_parallel=8, shm_gib=64),
    "tgi-bfloat16": engine("tgi", dtype="bfloat16", memory_fraction=0.9),
    "tgi-fp8-kv": engine("tgi", quantize="fp8", kv_cache_dtype="fp8_e4m3"),
    "tgi-fp8-e5m2-kv": engine("tgi", kv_cache_dtype="fp8_e5m2", max_total_tokens=32768),
    "tgi-gptq": engine("tgi", gpus=1, quantize="gptq", max_concurrent_requests=256),
    "tgi-nf4": engine("tgi", gpus=1, quantize="bitsandbytes-nf4", dtype="float16"),
    "tgi-ngram": engine(
        "tgi", speculation="ngram", speculation_tokens=3, max_batch_prefill_tokens=8192
    ),
    "tgi-adapters": engine("tgi", lora_adapters=ADAPTERS),
    "tgi-no-prefixes": engine("tgi", prefix_caching=False, drain_deadline=30.0),
    "tgi-extra": engine(
        "tgi",
        prefix_caching=True,
        environment={"USE_FLASH_ATTENTION": "false", "OTLP_SERVICE_NAME": "a b"},
        extra_args=("--max-client-batch-size=8", "--disable-grammar-support", "-e"),
    ),
}
VLLM: dict[str, EngineSpec] = {
    "vllm-plain": engine("vllm"),
    "vllm-full": engine(
        "vllm",
        served_name="chat",
        port=8081,
        max_total_tokens=16384,
        max_batch_prefill_tokens=4096,
        max_running_requests=64,
        dtype="bfloat16",
        quantize="fp8_per_tensor",
        kv_cache_dtype="fp8_e4m3",
        memory_fraction=0.9,
        prefix_caching=True,
        trust_remote_code=True,
        extra_args=("--kv-cache-metrics",),
    ),
    "vllm-cpu": engine(
        "vllm",
        gpus=0,
        served_name="smollm2",
        max_input_tokens=1024,
        max_total_tokens=2048,
        max_running_requests=8,
        dtype="bfloat16",
        shm_gib=1,
        environment={"VLLM_CPU_KVCACHE_SPACE": "2"},
        extra_args=("--enforce-eager",),
    ),
    "vllm-eight-gpus": engine("vllm", gpus=8, tensor_parallel=4, pipeline_parallel=2, shm_gib=64),
    "vllm-copies": engine("vllm", gpus=4, data_parallel=2),
    "vllm-ngram": engine("vllm", speculation="ngram", speculation_tokens=4),
    "vllm-draft": engine(
        "vllm", speculation="draft", speculation_tokens=5, speculation_model=DRAFT
    ),
    "vllm-eagle3": engine(
        "vllm", speculation="eagle3", speculation_tokens=3, speculation_model=DRAFT
    ),
    "vllm-mtp": engine("vllm", speculation="mtp", speculation_tokens=1),
    "vllm-adapters": engine("vllm", lora_adapters=ADAPTERS, lora_rank=32),
    "vllm-no-prefixes": engine("vllm", prefix_caching=False, kv_cache_dtype="nvfp4"),
    "vllm-extra": engine(
        "vllm",
        environment={"VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS": "120"},
        extra_args=(
            "--compilation_config.mode=3",
            "-ep",
            "--limit-mm-per-prompt",
            '{"image":0}',
            "--max-logprobs",
            "5",
        ),
    ),
}
SGLANG: dict[str, EngineSpec] = {
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
        memory_fraction=0.86,
        prefix_caching=True,
        trust_remote_code=True,
        shm_gib=32,
        memory_gib=128,
        extra_args=("--schedule-policy", "lpm"),
    ),
    "sglang-eight-gpus": engine("sglang", gpus=8, tensor_parallel=4, pipeline_parallel=2),
    "sglang-copies": engine("sglang", gpus=4, data_parallel=2, max_running_requests=48),
    "sglang-fp8-kv": engine("sglang", kv_cache_dtype="fp8_e5m2", dtype="float16"),
    "sglang-nf4": engine("sglang", gpus=1, quantize="bitsandbytes"),
    "sglang-ngram": engine("sglang", speculation="ngram", speculation_tokens=7),
    "sglang-draft": engine(
        "sglang", speculation="draft", speculation_tokens=4, speculation_model=DRAFT
    ),
    "sglang-eagle3": engine(
        "sglang",
        speculation="eagle3",
        speculation_tokens=3,
        speculation_model=DRAFT,
        lora_adapters=ADAPTERS,
    ),
    "sglang-mtp": engine("sglang", speculation="mtp", speculation_tokens=1),
    "sglang-adapters": engine("sglang", lora_adapters=ADAPTERS, lora_rank=64),
    "sglang-extra": engine(
        "sglang",
        prefix_caching=False,
        extra_args=("--log-level=warning", "--cuda-graph-bs-decode", "1", "2", "4"),
    ),
}
EXAMPLES: dict[str, EngineSpec] = TGI | VLLM | SGLANG
