"""Validates an object against the schema of its kind, with no field that is not in it.

Kubernetes' own kinds: the JSON schemas that the PyPI package `kubernetes-validate` ships, made of
the OpenAPI description of each Kubernetes. PodMonitor: `podmonitor.json`, whose first lines say
where it is from.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate

VERSIONS = ("1.34", "1.37")  # the first with a sleep in preStop that is sure to be there; the last
FILE = Path(__file__).parent / "podmonitor.json"


@cache
def _pod_monitor() -> Any:
    return json.loads(FILE.read_text())


def check(made: dict[str, Any]) -> None:
    """Raise `jsonschema.ValidationError` for the first fault."""
    if made["kind"] == "PodMonitor":
        jsonschema.Draft202012Validator(_pod_monitor()).validate(made)
        return
    for version in VERSIONS:
        kubernetes_validate.validate(made, version, strict=True)
