"""Checkpoints drawn from public config.json numbers, and wishes for the current engines."""

import json
from pathlib import Path
from typing import Any

from agent.planner import blueprint
from agent.planner.checkpoint import Checkpoint
from agent.planner.wish import CURRENT, Wish

MODELS = Path(__file__).parent / "models"
# FP8 with a scale per output channel, as llm-compressor writes it; and in blocks, as Qwen does.
FP8 = {
    "quant_method": "compressed-tensors",
    "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
}
FP8_BLOCKS = {"quant_method": "fp8", "weight_block_size": [128, 128]}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128}


def config(name: str, quant: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MODELS / f"{name}.json").read_text())
    return {**found, "quantization_config": quant} if quant else found


def checkpoint(name: str, quant: dict[str, Any] | None = None) -> Checkpoint:
    return blueprint.draw(name, config(name, quant))


def wish(engine: str = "vllm", **changes: Any) -> Wish:
    return Wish(engine=engine, version=CURRENT[engine], **changes)
