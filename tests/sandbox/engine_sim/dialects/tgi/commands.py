"""The command lines and environment that the launcher gives its children."""

from collections.abc import Mapping

from .arguments import Plan
from .flags import Flags

_ROUTER_COUNTS = (
    "max_client_batch_size",
    "max_concurrent_requests",
    "max_best_of",
    "max_stop_sequences",
    "max_top_n_tokens",
    "waiting_served_ratio",
    "max_waiting_tokens",
    "validation_workers",
    "payload_limit",
    "hostname",
    "port",
    "prometheus_port",
    "usage_stats",
)
_ROUTER_OPTIONS = ("tokenizer_config_path", "max_batch_size", "max_batch_total_tokens", "revision")


def download_command(flags: Flags) -> list[str]:
    """The download process."""
    return [
        "text-generation-server",
        "download-weights",
        flags.required("model_id"),
        *("--extension", ".safetensors", "--logger-level", "INFO", "--json-output"),
    ]


def shard_command(flags: Flags, plan: Plan) -> list[str]:
    """One shard; its rank comes by environment."""
    command = ["text-generation-server", "serve", flags.required("model_id")]
    command += ["--uds-path", flags.required("shard_uds_path")]
    command += ["--logger-level", "INFO", "--json-output"]
    if plan.num_shard > 1:
        command.append("--sharded")
    quantize = flags.text("quantize")
    return command if quantize is None else [*command, "--quantize", quantize]


def shard_environment(
    flags: Flags, plan: Plan, rank: int, env: Mapping[str, str]
) -> dict[str, str]:
    """The launcher's environment, less LOG_LEVEL, with what torch.distributed needs."""
    kept = {key: value for key, value in env.items() if key != "LOG_LEVEL"}
    return kept | {
        "RANK": str(rank),
        "WORLD_SIZE": str(plan.num_shard),
        "MASTER_ADDR": flags.required("master_addr"),
        "MASTER_PORT": flags.required("master_port"),
    }


def router_command(flags: Flags, plan: Plan) -> list[str]:
    """The router; an API key stands in its argv, as in the real one."""
    command = ["text-generation-router"]
    for key in _ROUTER_COUNTS:
        command += [_option(key), flags.required(key)]
    command += ["--max-batch-prefill-tokens", str(plan.max_batch_prefill_tokens)]
    command += ["--master-shard-uds-path", f"{flags.required('shard_uds_path')}-0"]
    command += ["--tokenizer-name", flags.required("model_id")]
    for name, limit in (
        ("--max-input-tokens", plan.max_input_tokens),
        ("--max-total-tokens", plan.max_total_tokens),
    ):
        if limit is not None:
            command += [name, str(limit)]
    for key in _ROUTER_OPTIONS:
        value = flags.text(key)
        if value is not None:
            command += [_option(key), value]
    for key in ("json_output", "disable_grammar_support"):
        if flags.on(key):
            command.append(_option(key))
    api_key = flags.text("api_key")
    return command if api_key is None else [*command, "--api-key", api_key]


def _option(key: str) -> str:
    return "--" + key.replace("_", "-")
