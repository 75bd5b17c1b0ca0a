"""The rule files, with the place of the runbooks, and which models the inventory wants served."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent / "rules"
RUNBOOKS = "@RUNBOOKS@"


def files(runbooks: str, models: Mapping[str, int] | None = None) -> dict[str, str]:
    """Return the text of each rule file; `models`: how many engines serve each, by the spec."""
    made = {name: text.replace(RUNBOOKS, runbooks) for name, text in _written().items()}
    if models:
        made["inventory.yml"] = _wanted(models)
    return made


@cache
def _written() -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(HERE.glob("*.yml"))}


def _wanted(models: Mapping[str, int]) -> str:
    """Of a model whose hosts are all gone nothing is left to tell that it is missing."""
    rules = [
        {
            "record": "stoker:model_hosts:wanted",
            "expr": f"vector({count})",
            "labels": {"model": model},
        }
        for model, count in sorted(models.items())
    ]
    document = {"groups": [{"name": "stoker-inventory", "rules": rules}]}
    return json.dumps(document, indent=2) + "\n"  # JSON is YAML, too
