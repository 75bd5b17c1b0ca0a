"""What each engine cannot honour, and the exact sentence that says what to do instead.

`refusals/KIND.txt` holds the sentences of the adapter's tables, one for each word, flag and
variable; those that depend on more than one setting stand here.
"""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agent.engines import ENGINES, sglang_flags, tgi_flags, vllm_flags
from tests.agent.engines.examples import ADAPTERS, DRAFT, engine

HERE = Path(__file__).parent
TABLES: dict[str, ModuleType] = {"tgi": tgi_flags, "vllm": vllm_flags, "sglang": sglang_flags}
NGRAM = {"speculation": "ngram", "speculation_tokens": 3}
EVERYWHERE: list[tuple[dict[str, Any], str]] = [
    (
        {"gpus": 4, "tensor_parallel": 2},
        "gpus = 4: tensor_parallel × pipeline_parallel × data_parallel = 2 × 1 × 1 = 2; the two "
        "must be equal",
    ),
    (
        {"gpus": 1, "tensor_parallel": 2},
        "gpus = 1: tensor_parallel × pipeline_parallel × data_parallel = 2 × 1 × 1 = 2; the two "
        "must be equal",
    ),
    (
        {"tensor_parallel": 2, "shrink": True},
        "shrink = True: on fewer GPUs only the tensor-parallel degree can change; leave "
        "tensor_parallel at None, pipeline_parallel and data_parallel at 1",
    ),
    (
        {"speculation": "ngram"},
        "speculation = 'ngram': needs speculation_tokens, how many are guessed at once",
    ),
    (
        {**NGRAM, "speculation_model": DRAFT},
        f"speculation_model = {DRAFT!r}: 'ngram' guesses without a model; leave it at None",
    ),
    ({"speculation_tokens": 3}, "speculation_tokens = 3: means nothing without speculation"),
    (
        {"speculation_model": DRAFT},
        f"speculation_model = {DRAFT!r}: means nothing without speculation",
    ),
    (
        {"lora_adapters": {"a,b": DRAFT}},
        "lora_adapters['a,b']: a name has 1 to 63 letters, digits, '.', '_' and '-', a letter or "
        "digit first",
    ),
    (
        {"lora_adapters": {"../etc": DRAFT}},
        "lora_adapters['../etc']: a name has 1 to 63 letters, digits, '.', '_' and '-', a letter "
        "or digit first",
    ),
    (
        {"lora_adapters": {"chat": DRAFT}, "served_name": "chat"},
        "lora_adapters['chat']: is the name of the model itself; give it another",
    ),
    (
        {"environment": {"HF_HUB_OFFLINE": "0"}},
        "environment['HF_HUB_OFFLINE']: is set by Stoker to '1'; remove it",
    ),
]
ONE: list[tuple[str, dict[str, Any], str]] = [
    (
        "tgi",
        {"quantize": "int3"},
        "quantize = 'int3': TGI 3.3 knows awq, compressed-tensors, eetq, exl2, gptq, marlin, "
        "bitsandbytes, bitsandbytes-nf4, bitsandbytes-fp4, fp8",
    ),
    ("tgi", {"quantize": "fp8", "gpus": 0}, "quantize = 'fp8': needs a GPU, but gpus = 0"),
    (
        "tgi",
        {"quantize": "exl2"},
        "quantize = 'exl2': TGI runs it on one GPU only, but gpus = 2",
    ),
    (
        "tgi",
        {"quantize": "fp8", "dtype": "float16"},
        "dtype = 'float16': TGI refuses it beside quantize = 'fp8'; leave dtype at 'auto'",
    ),
    (
        "tgi",
        {"kv_cache_dtype": "mxfp8"},
        "kv_cache_dtype = 'mxfp8': TGI 3.3 knows auto, fp8_e4m3, fp8_e5m2",
    ),
    (
        "tgi",
        {"kv_cache_dtype": "fp8_e4m3", "gpus": 0},
        "kv_cache_dtype = 'fp8_e4m3': needs a GPU, but gpus = 0",
    ),
    (
        "tgi",
        {"pipeline_parallel": 2},
        "pipeline_parallel = 2: TGI splits a model by tensor parallelism only; leave it at 1, or "
        "use kind 'vllm' or 'sglang'",
    ),
    (
        "tgi",
        {"data_parallel": 2},
        "data_parallel = 2: TGI serves one copy of a model; leave it at 1, and name one engine "
        "for each copy in engines",
    ),
    (
        "tgi",
        {"max_running_requests": 8},
        "max_running_requests = 8: TGI ignores such a limit where it reads prompts in chunks, as "
        "it does by default; use max_concurrent_requests",
    ),
    (
        "tgi",
        {"lora_adapters": ADAPTERS, "lora_rank": 16},
        "lora_rank = 16: TGI reads the rank from each adapter; leave it at None",
    ),
    (
        "tgi",
        {"lora_adapters": ADAPTERS, "prefix_caching": True},
        "prefix_caching = True: TGI cannot share prefixes between adapters; leave it at None",
    ),
    *(
        (
            "tgi",
            {"max_batch_prefill_tokens": 1000, **changes},
            "max_batch_prefill_tokens = 1000: must be at least max_input_tokens = 4096, because "
            "with speculation, ATTENTION=paged or PREFILL_CHUNKING=0 TGI reads a prompt in one "
            "piece",
        )
        for changes in (
            NGRAM,
            {"environment": {"ATTENTION": "paged"}},
            {"environment": {"PREFILL_CHUNKING": "0"}},
        )
    ),
    (
        "tgi",
        {"extra_args": ("--otlp-service-name", "a b")},
        "extra_args: 'a b': TGI's image splits arguments at spaces; use the variable of that flag "
        "in environment",
    ),
    (
        "tgi",
        {"extra_args": ("--usage-stat", "off")},
        "extra_args: '--usage-stat': TGI 3.3 has no such flag (did you mean --usage-stats, which "
        "is set by Stoker from a fixed 'off'?)",
    ),
    (
        "tgi",
        {"environment": {"QUANTIZE": "fp8"}},
        "environment['QUANTIZE']: is set by Stoker from engine_quantize",
    ),
    (
        "tgi",
        {"prefix_caching": False, "environment": {"PREFIX_CACHING": "1"}},
        "environment['PREFIX_CACHING']: is set by Stoker from engine_prefix_caching",
    ),
    (
        "vllm",
        {"quantize": "int3"},
        "quantize = 'int3': vLLM 0.33 knows awq, auto_awq, fp8, fbgemm_fp8, fp_quant, modelopt, "
        "modelopt_fp4, modelopt_mxfp8, modelopt_mixed, auto_gptq, gptq, gptq_marlin, awq_marlin, "
        "humming, compressed-tensors, experts_int8, quark, moe_wna16, torchao, inc, mxfp4, "
        "gpt_oss_mxfp4, deepseek_v4_fp8, online, fp8_per_tensor, fp8_per_block, fp8_per_channel, "
        "int8_per_channel_weight_only, nvfp4_per_token, mxfp8",
    ),
    (
        "vllm",
        {"lora_adapters": ADAPTERS, "lora_rank": 24},
        "lora_rank = 24: vLLM 0.33 knows 1, 8, 16, 32, 64, 128, 256, 320, 512",
    ),
    *(
        (
            kind,
            {"speculation": method, "speculation_tokens": 3},
            f"speculation = {method!r}: needs speculation_model, ORGANISATION/NAME@COMMIT",
        )
        for kind in ("vllm", "sglang")
        for method in ("draft", "eagle", "eagle3")
    ),
    *(
        (
            kind,
            {"pipeline_parallel": 3},
            "gpus = 2: tensor_parallel × pipeline_parallel × data_parallel = 1 × 3 × 1 = 3; the "
            "two must be equal",
        )
        for kind in ("vllm", "sglang")
    ),
    *(
        (kind, {"lora_rank": 16}, "lora_rank = 16: means nothing without lora_adapters")
        for kind in ("vllm", "sglang")
    ),
    (
        "vllm",
        {"extra_args": ("--max_model_len=9",)},
        "extra_args: '--max_model_len': is set by Stoker from engine_max_total_tokens",
    ),
    (
        "vllm",
        {"extra_args": ("--speculative-config.method", "ngram")},
        "extra_args: '--speculative-config.method': is set by Stoker from engine_speculation",
    ),
    (
        "vllm",
        {"extra_args": ("-tp", "4")},
        "extra_args: '-tp': is set by Stoker from engine_gpus and engine_tensor_parallel",
    ),
    (
        "vllm",
        {"extra_args": ("--device-memory-utilization", "0.9")},
        "extra_args: '--device-memory-utilization': is set by Stoker from engine_memory_fraction",
    ),
    (
        "vllm",
        {"extra_args": ("--gpu-memory-util", "0.9")},
        "extra_args: '--gpu-memory-util': is short for --gpu-memory-utilization, which is set by "
        "Stoker from engine_memory_fraction; write flags in full",
    ),
    (
        "vllm",
        {"extra_args": ("--max-num", "8")},
        "extra_args: '--max-num': is short for several flags (--max-num-active-seqs, "
        "--max-num-batched-tokens, --max-num-queued-reqs, --max-num-queued-tokens, …); write flags "
        "in full",
    ),
    (
        "vllm",
        {"extra_args": ("--swap-space", "4")},
        "extra_args: '--swap-space': vLLM 0.33 has no such flag",
    ),
    (
        "sglang",
        {"quantize": "int3"},
        "quantize = 'int3': SGLang 0.5.23 knows awq, fp8, mxfp8, gptq, gptq_marlin, awq_marlin, "
        "bitsandbytes, modelopt, modelopt_fp8, modelopt_fp4, nvfp4_online, modelopt_mixed, "
        "petit_nvfp4, w8a8_int8, w8a8_fp8, moe_wna16, w4afp8, mxfp4, auto-round, "
        "auto-round-int8, compressed-tensors, modelslim, mxfp_w4a8, quark, quark_int4fp8_moe, "
        "quark_mxfp4, mlx_q4, mlx_q8, unquant, humming",
    ),
    (
        "sglang",
        {"kv_cache_dtype": "int8"},
        "kv_cache_dtype = 'int8': SGLang 0.5.23 knows auto, fp8_e5m2, fp8_e4m3, mxfp8, "
        "bfloat16, nvfp4, fp4_mx_block16",
    ),
    (
        "sglang",
        {"gpus": 0},
        "gpus = 0: SGLang's image serves on GPUs only; use kind 'vllm' with its CPU build",
    ),
    (
        "sglang",
        {
            "speculation": "draft",
            "speculation_tokens": 3,
            "speculation_model": DRAFT,
            "lora_adapters": ADAPTERS,
        },
        "speculation = 'draft': SGLang cannot run it beside lora_adapters; use 'ngram', 'eagle' or "
        "'eagle3'",
    ),
    (
        "sglang",
        {"quantize": "bitsandbytes", "extra_args": ("--load-format", "gguf")},
        "extra_args: '--load-format': is set by Stoker from engine_quantize",
    ),
    (
        "sglang",
        {"extra_args": ("--tp", "4")},
        "extra_args: '--tp': is short for --tp-size, which is set by Stoker from engine_gpus and "
        "engine_tensor_parallel; write flags in full",
    ),
    (
        "sglang",
        {"extra_args": ("--context_length=9",)},
        "extra_args: '--context_length': is set by Stoker from engine_max_total_tokens",
    ),
    (
        "sglang",
        {"extra_args": ("--schedule-policy", "best")},
        "extra_args: '--schedule-policy': takes lpm, random, fcfs, dfs-weight, lof, priority, "
        "routing-key, hrrn, shortest-prefill-first, not 'best'",
    ),
]
CASES = [(kind, *case) for kind in ENGINES for case in EVERYWHERE] + ONE


@pytest.mark.parametrize(("kind", "changes", "sentence"), CASES)
def test_the_exact_sentence(kind: str, changes: dict[str, Any], sentence: str) -> None:
    assert ENGINES[kind].faults(engine(kind, **changes)) == [sentence]


@pytest.mark.parametrize("kind", ENGINES)
def test_every_word_flag_and_variable_of_the_tables_has_its_sentence(kind: str) -> None:
    said = [fault for changes in entries(kind) for fault in only(kind, changes)]
    assert "\n".join(said) + "\n" == (HERE / "refusals" / f"{kind}.txt").read_text()


def entries(kind: str) -> Iterator[dict[str, Any]]:
    """One setting for each entry of an adapter's tables."""
    tables = TABLES[kind]
    yield from ({"quantize": word} for word in tables.QUANTIZE)
    kv_cache = tables.KV_CACHE_HINTS if kind == "tgi" else tables.KV_CACHE
    yield from ({"kv_cache_dtype": word} for word in kv_cache)
    yield from ({"speculation": word} for word in tables.SPECULATION)
    yield from ({"extra_args": (flag,)} for flag in (*tables.OWNED, *tables.WRONG))
    yield from ({"environment": {name: "1"}} for name in tables.VARIABLES)


def only(kind: str, changes: dict[str, Any]) -> list[str]:
    found = ENGINES[kind].faults(engine(kind, **changes))
    assert len(found) == 1, (changes, found)
    return found
