"""What vLLM refuses before it starts anything: its configuration, judged by the model's own."""

from argparse import Namespace
from pathlib import Path

from ...model_dir import Model, ModelDirError, read_model


class ConfigError(Exception):
    """The traceback's last line; the server ends with exit code 1."""


def max_model_len(args: Namespace, model: Model) -> int:
    """The context length in force; ConfigError when more is asked for than the model has."""
    derived = model.max_position_embeddings or 2048
    if args.max_model_len in {None, "auto", "-1"}:
        return derived
    asked = int(args.max_model_len)
    if asked > derived:
        raise ConfigError(
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
            f"  Value error, User-specified max_model_len ({asked}) is greater than the derived "
            f"max_model_len (max_position_embeddings={derived} or model_max_length="
            f"{model.tokenizer_max_length} in model's config.json). To allow overriding this "
            "maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1. [type=value_error, "
            "input_value=ArgsKwargs((), {}), input_type=ArgsKwargs]"
        )
    return asked


def read(args: Namespace) -> Model:
    """The model's directory, checked; ConfigError."""
    try:
        model = read_model(Path(args.model))
    except ModelDirError as error:
        raise ConfigError(
            f"OSError: {args.model} is not a local folder and is not a valid model identifier "
            f"listed on 'https://huggingface.co/models' ({error})"
        ) from error
    heads, ranks = model.heads, args.tensor_parallel_size
    if heads is not None and heads % ranks != 0:
        raise ConfigError(
            f"  Value error, Total number of attention heads ({heads}) must be divisible by "
            f"tensor parallel size ({ranks}). [type=value_error]"
        )
    if args.quantization in {"gptq", "awq"}:
        raise ConfigError(f"ValueError: Cannot find the config file for {args.quantization}")
    return model
