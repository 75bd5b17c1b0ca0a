"""The containers of engines, as Docker tells them, beside what their runner made."""

import msgspec
import pytest

from agent.engines import ENGINES
from agent.spec import weights_path
from fleet.facts.containers import LIMITS, Container, EngineContainers, changed
from tests.fleet.samples import spec

SPEC = spec()
[NAME] = SPEC.engines
MADE = ENGINES[SPEC.engines[NAME].kind].container(
    SPEC.engines[NAME], weights_path(SPEC.model, SPEC.engines[NAME]), ()
)
WANTED = {"PidsLimit": str(MADE.processes)}
if MADE.memory_bytes:
    WANTED |= dict.fromkeys(("Memory", "MemorySwap"), str(MADE.memory_bytes))
GOOD = Container(id="abc", started="abc", restart="no", limits=WANTED)


def test_what_docker_prints() -> None:
    values = ["0", "0", "0", "1500000000", "0", "0", "0", '"0-1"', '""', "0", "8192"]
    assert len(values) == len(LIMITS)
    line = "|".join(["main", "abc", "no", *values, "abd"])
    limits = {"NanoCpus": "1500000000", "CpusetCpus": "0-1", "PidsLimit": "8192"}
    found = EngineContainers().process([line])
    assert found == {"main": Container(id="abc", started="abd", restart="no", limits=limits)}


def test_an_engine_as_it_was_made() -> None:
    assert list(changed(SPEC, {NAME: GOOD})) == []
    assert list(changed(SPEC, {})) == []


@pytest.mark.parametrize(
    "part",
    [
        {"id": "another"},
        {"restart": "always"},
        {"limits": {**WANTED, "NanoCpus": "1"}},
        {"limits": {**WANTED, "PidsLimit": "1"}},
        {"limits": {}},
    ],
)
def test_whatever_was_changed_behind_the_runners_back(part: dict[str, object]) -> None:
    assert list(changed(SPEC, {NAME: msgspec.structs.replace(GOOD, **part)})) == [NAME]
