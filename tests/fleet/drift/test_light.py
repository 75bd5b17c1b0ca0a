"""A check for drift runs every half hour beside an engine: what only the agent needs stays out."""

import subprocess
import sys

from fleet.render import ROOT

HEAVY = ("aiohttp", "dbus_fast", "docker", "huggingface_hub", "prometheus_client", "pynvml")
LOADS = f"""
import importlib, pkgutil, sys
import fleet.drift.__main__, fleet.drift.once, fleet.batching, fleet.stages
from tests.fleet.samples import spec
for one in pkgutil.iter_modules(fleet.stages.__path__):
    importlib.import_module("fleet.stages." + one.name)
spec()
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""


def test_it_loads_nothing_that_only_the_agent_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
