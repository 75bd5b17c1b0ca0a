"""What the simulator reads of a model directory: a few numbers, and that the files are there."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class ModelDirError(Exception):
    """The directory is not a usable model; the message names the missing or broken file."""


@dataclass(frozen=True)
class Model:
    """The facts an engine derives its limits from."""

    heads: int | None
    kv_heads: int | None
    max_position_embeddings: int | None
    tokenizer_max_length: int | None
    has_chat_template: bool


def read_model(directory: Path) -> Model:
    """Read config.json, tokenizer.json and the chat template of a model directory."""
    config = _load(directory / "config.json")
    _load(directory / "tokenizer.json")
    text = config.get("text_config", config)
    heads = text.get("num_attention_heads")
    tokenizer = _load_optional(directory / "tokenizer_config.json")
    return Model(
        heads=heads,
        kv_heads=text.get("num_key_value_heads", heads),
        max_position_embeddings=text.get("max_position_embeddings"),
        tokenizer_max_length=tokenizer.get("model_max_length"),
        # Not chat_template.jinja: the router of 3.3 does not look for that file.
        has_chat_template="chat_template" in tokenizer
        or "chat_template" in _load_optional(directory / "chat_template.json"),
    )


def _load_optional(path: Path) -> dict[str, Any]:
    return _load(path) if path.is_file() else {}


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise ModelDirError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ModelDirError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelDirError(f"{path}: expected a JSON object")
    return content
