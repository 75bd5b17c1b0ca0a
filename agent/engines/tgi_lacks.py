"""What TGI lacks, and what to use instead."""

from collections.abc import Iterator

from agent.engines import values
from agent.engines.tgi_flags import KV_CACHE, KV_CACHE_HINTS, PROGRAM, QUANTIZE
from agent.spec import EngineSpec


def faults(engine: EngineSpec) -> Iterator[str]:
    """Yield one sentence for each setting that TGI cannot honour."""
    yield from _quantize(engine)
    yield from _kv_cache(engine)
    yield from _lacks(engine)
    yield from _prefill(engine)


def _quantize(engine: EngineSpec) -> Iterator[str]:
    if engine.quantize is None:
        return
    known = PROGRAM.flags["--quantize"].choices
    yield from values.faults("quantize", engine.quantize, PROGRAM.title, known, QUANTIZE)
    if engine.gpus == 0:
        yield f"quantize = {engine.quantize!r}: needs a GPU, but gpus = 0"
    if engine.quantize == "exl2" and engine.gpus > 1:
        yield f"quantize = 'exl2': TGI runs it on one GPU only, but gpus = {engine.gpus}"
    if engine.dtype != "auto" and not engine.quantize.startswith("bitsandbytes"):
        yield (
            f"dtype = {engine.dtype!r}: TGI refuses it beside quantize = {engine.quantize!r}; "
            "leave dtype at 'auto'"
        )


def _kv_cache(engine: EngineSpec) -> Iterator[str]:
    word, known = engine.kv_cache_dtype, ("auto", *KV_CACHE)
    yield from values.faults("kv_cache_dtype", word, PROGRAM.title, known, KV_CACHE_HINTS)
    if word in KV_CACHE and engine.gpus == 0:
        yield f"kv_cache_dtype = {word!r}: needs a GPU, but gpus = 0"


def _lacks(engine: EngineSpec) -> Iterator[str]:
    if engine.pipeline_parallel > 1:
        yield (
            f"pipeline_parallel = {engine.pipeline_parallel}: TGI splits a model by tensor "
            "parallelism only; leave it at 1, or use kind 'vllm' or 'sglang'"
        )
    if engine.data_parallel > 1:
        yield (
            f"data_parallel = {engine.data_parallel}: TGI serves one copy of a model; leave it "
            "at 1, and name one engine for each copy in engines"
        )
    if engine.max_running_requests:
        yield (
            f"max_running_requests = {engine.max_running_requests}: TGI ignores such a limit "
            "where it reads prompts in chunks, as it does by default; use max_concurrent_requests"
        )
    if engine.lora_rank:
        yield (
            f"lora_rank = {engine.lora_rank}: TGI reads the rank from each adapter; leave it at "
            "None"
        )
    if engine.prefix_caching and engine.lora_adapters:
        yield (
            "prefix_caching = True: TGI cannot share prefixes between adapters; leave it at None"
        )


def _prefill(engine: EngineSpec) -> Iterator[str]:
    tokens = engine.max_batch_prefill_tokens
    if tokens and tokens < engine.max_input_tokens and _in_one_piece(engine):
        yield (
            f"max_batch_prefill_tokens = {tokens}: must be at least max_input_tokens = "
            f"{engine.max_input_tokens}, because with speculation, ATTENTION=paged or "
            "PREFILL_CHUNKING=0 TGI reads a prompt in one piece"
        )


def _in_one_piece(engine: EngineSpec) -> bool:
    paged = engine.environment.get("ATTENTION") == "paged"
    unchunked = engine.environment.get("PREFILL_CHUNKING") in {"0", "false"}
    return engine.speculation is not None or paged or unchunked
