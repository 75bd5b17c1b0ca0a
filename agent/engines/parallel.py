"""How an engine's GPUs are shared out: tensor × pipeline × data parallel is all of them."""

from collections.abc import Iterator

from agent.spec import EngineSpec


def degree(engine: EngineSpec, gpus: int) -> int:
    """Return the tensor-parallel degree on `gpus` GPUs: all that the other two leave."""
    others = engine.pipeline_parallel * engine.data_parallel
    return engine.tensor_parallel or max(1, gpus // others)


def faults(engine: EngineSpec) -> Iterator[str]:
    """Yield a sentence for each degree that leaves GPUs without work, or wants more."""
    others = engine.pipeline_parallel * engine.data_parallel
    ranks = others * degree(engine, engine.gpus)
    if ranks != max(1, engine.gpus):
        yield (
            f"gpus = {engine.gpus}: tensor_parallel × pipeline_parallel × data_parallel = "
            f"{degree(engine, engine.gpus)} × {engine.pipeline_parallel} × "
            f"{engine.data_parallel} = {ranks}; the two must be equal"
        )
    if engine.shrink and (engine.tensor_parallel or others > 1):
        yield (
            "shrink = True: on fewer GPUs only the tensor-parallel degree can change; leave "
            "tensor_parallel at None, pipeline_parallel and data_parallel at 1"
        )
