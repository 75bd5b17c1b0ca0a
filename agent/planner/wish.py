"""What is wanted of an engine, as far as memory is concerned."""

from collections.abc import Iterator, Mapping, Sequence

from agent.errors import SpecError
from agent.model import Value
from agent.spec import EngineSpec


class Version(Value, frozen=True, kw_only=True, order=True):
    """An engine's release."""

    major: int
    minor: int
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read `0.33.0`, `v0.33` or `3.3.7-dev0`; raise `SpecError` for anything else."""
        numbers = text.removeprefix("v").split("-")[0].split("+")[0].split(".")
        try:
            major, minor, *rest = (
                int(number.split("rc")[0].split("post")[0]) for number in numbers[:3]
            )
        except ValueError as error:
            raise SpecError(f"{text!r} is not a version such as 0.33.0") from error
        return cls(major=major, minor=minor, patch=rest[0] if rest else 0)


# What Stoker's adapters are written for.
CURRENT = {
    "vllm": Version(major=0, minor=33),
    "sglang": Version(major=0, minor=5, patch=23),
    "tgi": Version(major=3, minor=3, patch=7),
}


class Wish(Value, frozen=True, kw_only=True):
    """One engine on `tp` × `pp` GPUs. None = what the engine takes when it is not told.

    `context` = tokens of one request, in and out. `concurrency` = such requests that the KV cache
    has to hold at once. `prefill` = tokens of one step. `sequences` = requests of one step.
    """

    engine: str = "vllm"
    version: Version = CURRENT["vllm"]
    tp: int = 1
    pp: int = 1
    context: int = 8192
    concurrency: int = 1
    prefill: int | None = None
    sequences: int | None = None
    dtype: str = "auto"
    quantize: str | None = None
    kv_dtype: str = "auto"
    fraction: float | None = None
    wiggle: float = 0.9  # TGI_WIGGLE_ROOM
    graphs: bool = True
    expert_parallel: bool = False

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        return self.tp * self.pp


def of(engine: EngineSpec, tp: int) -> Wish:
    """Return what `engine` wishes on `tp` GPUs; raise `SpecError` for a number that is none.

    Its `max_concurrent_requests` counts those that wait, too: the KV cache need not hold them all.
    """
    flags = dict(_flags(engine.extra_args))
    try:
        return _of(engine, tp, flags)
    except ValueError as error:
        raise SpecError(f"extra_args: {error}") from error


def _of(engine: EngineSpec, tp: int, flags: Mapping[str, str]) -> Wish:
    def number(*names: str) -> int | None:
        return next((int(flags[name]) for name in names if name in flags), None)

    ranks = engine.pipeline_parallel * engine.data_parallel
    eager = flags.get("--cuda-graphs") == "0" or "disabled" in flags.get(
        "--cuda-graph-backend-decode", ""
    )
    return Wish(
        engine=engine.kind,
        version=CURRENT[engine.kind],
        tp=max(1, tp // ranks),
        pp=engine.pipeline_parallel,
        context=engine.max_total_tokens,
        prefill=engine.max_batch_prefill_tokens,
        sequences=engine.max_running_requests,
        dtype=engine.dtype,
        quantize=engine.quantize,
        kv_dtype=engine.kv_cache_dtype,
        fraction=engine.memory_fraction,
        wiggle=float(engine.environment.get("TGI_WIGGLE_ROOM", 0.9)),
        graphs=not eager and "--enforce-eager" not in flags,
        expert_parallel="--enable-expert-parallel" in flags or (number("--ep-size") or 1) > 1,
    )


def _flags(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pair each flag with its value: of `--flag=value`, `--flag value`, and "" of a bare one."""
    for index, argument in enumerate(arguments):
        if argument.startswith("--"):
            name, equals, value = argument.partition("=")
            following = arguments[index + 1] if index + 1 < len(arguments) else "--"
            yield (
                name.replace("_", "-"),
                value if equals or following.startswith("--") else following,
            )
