"""What SGLang lacks, and what to use instead."""

from collections.abc import Iterator

from agent.engines import values
from agent.engines.sglang_flags import KV_CACHE, PROGRAM, QUANTIZE
from agent.spec import EngineSpec


def faults(engine: EngineSpec) -> Iterator[str]:
    """Yield one sentence for each setting that SGLang cannot honour."""
    yield from _words(engine)
    yield from _lacks(engine)


def _words(engine: EngineSpec) -> Iterator[str]:
    for key, value, flag, hints in (
        ("quantize", engine.quantize, "--quantization", QUANTIZE),
        ("kv_cache_dtype", engine.kv_cache_dtype, "--kv-cache-dtype", KV_CACHE),
    ):
        yield from values.faults(key, value, PROGRAM.title, PROGRAM.flags[flag].choices, hints)


def _lacks(engine: EngineSpec) -> Iterator[str]:
    if engine.gpus == 0:
        yield "gpus = 0: SGLang's image serves on GPUs only; use kind 'vllm' with its CPU build"
    if engine.speculation == "draft" and engine.lora_adapters:
        yield (
            "speculation = 'draft': SGLang cannot run it beside lora_adapters; use 'ngram', "
            "'eagle' or 'eagle3'"
        )
