"""From flags to what will run: the launcher's own checks and derived limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ... import gpus
from ...model_dir import ModelDirError, read_model
from .flags import Flags
from .problems import argument_validation, not_enough_devices


@dataclass(frozen=True)
class Plan:
    """The launcher's decisions; None means that the router decides after the warmup."""

    num_shard: int
    max_input_tokens: int | None
    max_total_tokens: int | None
    max_batch_prefill_tokens: int


def plan(flags: Flags, env: Mapping[str, str]) -> Plan:
    """Check the flags against each other; LauncherError where the real launcher refuses."""
    max_input = _max_input_tokens(flags)
    max_total = flags.count("max_total_tokens")
    if max_input is not None and max_total is not None and max_input >= max_total:
        raise argument_validation("`max_input_tokens` must be < `max_total_tokens`")
    batch_total = flags.count("max_batch_total_tokens")
    if batch_total is not None and max_total is not None and max_total > batch_total:
        raise argument_validation(
            "`max_total_tokens` must be <= `max_batch_total_tokens`. "
            f"Given: {max_total} and {batch_total}"
        )
    if flags.count("validation_workers") == 0:
        raise argument_validation("`validation_workers` must be > 0")
    if flags.text("dtype") and not (flags.text("quantize") or "bitsandbytes").startswith("bitsand"):
        raise argument_validation("Only one of `dtype` or `quantize` can be set")
    num_shard = _num_shard(flags, env)
    if num_shard > 1 and flags.text("quantize") == "exl2":
        raise argument_validation("Sharding is currently not supported with `exl2` quantization")
    for needed in ("ngrok_authtoken", "ngrok_edge"):
        if flags.on("ngrok") and flags.text(needed) is None:
            name = needed.replace("_", "-")
            raise argument_validation(f"`{name}` must be set when using ngrok tunneling")
    return Plan(num_shard, max_input, max_total, _prefill_budget(flags))


def _max_input_tokens(flags: Flags) -> int | None:
    tokens, length = flags.count("max_input_tokens"), flags.count("max_input_length")
    if tokens is not None and length is not None:
        raise argument_validation(
            f"Both `max_input_tokens` ({tokens}) and `max_input_length` ({length}) are set. Please "
            "define only `max_input_tokens` as `max_input_length is deprecated for naming "
            "consistency."
        )
    return tokens if tokens is not None else length


def _prefill_budget(flags: Flags) -> int:
    given = flags.count("max_batch_prefill_tokens")
    if given is not None:
        return given
    try:
        longest = read_model(Path(flags.required("model_id"))).max_position_embeddings
    except ModelDirError:
        longest = None  # swallowed, as the real launcher does: the download reports it
    return min(4096, longest or 4096)


def _num_shard(flags: Flags, env: Mapping[str, str]) -> int:
    sharded, given = flags.text("sharded"), flags.count("num_shard")
    if sharded == "true" and given is not None and given <= 1:
        raise argument_validation("`sharded` is true but `num_shard` <= 1")
    if given == 0:
        raise argument_validation("`num_shard` cannot be < 1")
    if given is not None:
        return given
    if sharded == "false":
        return 1
    found = gpus.listed_gpus(env)
    if sharded == "true" and (found is None or found <= 1):
        raise not_enough_devices(f"`sharded` is true but only found {found or 0} CUDA devices")
    return found or 1
