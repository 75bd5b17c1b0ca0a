"""What SGLang refuses before it starts anything."""

from argparse import Namespace
from pathlib import Path

from ...model_dir import Model, ModelDirError, read_model


class ConfigError(Exception):
    """The traceback's last line; the server ends with exit code 1."""


def context_length(args: Namespace) -> int:
    """The context length in force; ConfigError for no model, or for more than it has."""
    derived = _model(args).max_position_embeddings or 2048
    asked: int = args.context_length or derived
    if asked > derived:
        raise ConfigError(
            f"ValueError: User-specified context_length ({asked}) is greater than the derived "
            f"context_length ({derived}). This may lead to incorrect model outputs or CUDA errors. "
            "To allow overriding this maximum, set the env var "
            "SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1"
        )
    return asked


def _model(args: Namespace) -> Model:
    try:
        return read_model(Path(args.model_path))
    except ModelDirError as error:
        raise ConfigError(
            f"OSError: {args.model_path} is not a local folder and is not a valid model identifier "
            f"listed on 'https://huggingface.co/models' ({error})"
        ) from error
