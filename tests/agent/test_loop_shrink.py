"""Engines that lose a GPU and go on with fewer, where that is allowed and the planner lets them."""

import json
import logging
from pathlib import Path

import msgspec
import pytest

from agent.model import Phase
from agent.reports import Started
from agent.sources.gpu import Gpu, NvmlReading
from agent.spec import HostSpec, weights_path
from tests.agent.fakes import look, nvml
from tests.agent.node import DATA, UNIT, Node
from tests.agent.test_loop_faults import phase
from tests.agent.test_loop_moves import lost
from tests.sandbox.models.tiny import make_tiny

STARTED = Started(engine="main", digest="d", container="c", gpus=("GPU-0", "GPU-1"), started=1.0)
H100 = {"name": "NVIDIA H100 80GB HBM3", "capability": 90, "memory_total": 80 * 1024**3}


def host(path: Path, *, shrink: bool, **config: object) -> HostSpec:
    """A host of two GPUs, an engine that wants both, and its weights."""
    data = {**DATA, "agent_failures": 1, "agent_arm_reboot": True, "driver_gpu_count": 2}
    data |= {"model_root": str(path / "models"), "engine_gpus": 2, "engine_shrink": shrink}
    spec = HostSpec.from_data(
        "host", {**data, "engine_max_input_tokens": 1024, "engine_max_total_tokens": 2048}
    )
    directory = Path(weights_path(spec.model, spec.engines["main"]))
    make_tiny(directory)
    file = directory / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return spec


def reading(*gpus: Gpu) -> NvmlReading:
    return msgspec.structs.replace(nvml(2), gpus=gpus)


async def after_a_loss(path: Path, spec: HostSpec, **facts: object) -> Node:
    """The node some ticks after it lost one of two GPUs with `facts`."""
    node = Node(path, spec)
    whole = nvml(2, **facts)
    node.nvml.value, node.pci.value = whole, 2
    node.remember(phase=Phase.SERVING, gpus=STARTED.gpus)
    node.engine.value = look(started=STARTED)
    node.loop.begin()
    await node.tick()
    assert (phase(node), node.acts) == (Phase.SERVING, [])
    node.nvml.value = reading(lost(), whole.gpus[1])
    for _ in range(4):
        await node.tick()
    return node


@pytest.mark.parametrize(
    ("shrink", "facts", "moves"),
    [
        (True, H100, True),
        (False, H100, False),
        (True, {**H100, "memory_total": 1 << 30}, False),
        (True, {**H100, "memory_total": None}, False),
        (True, {**H100, "capability": None}, False),
    ],
)
async def test_an_engine_goes_on_with_fewer_gpus_where_it_fits(
    tmp_path: Path, shrink: bool, facts: dict[str, object], moves: bool
) -> None:
    node = await after_a_loss(tmp_path, host(tmp_path, shrink=shrink), **facts)
    assert (f"restart {UNIT}" in node.acts) is moves
    assert (f"stop {UNIT}" in node.acts) is not moves  # for the reboot


async def test_what_the_planner_cannot_make_out_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = host(tmp_path, shrink=True, hidden_size="wide")
    with caplog.at_level(logging.ERROR, "stoker.picture"):
        node = await after_a_loss(tmp_path, spec, **H100)
    assert f"restart {UNIT}" not in node.acts
    (said,) = [one.getMessage() for one in caplog.records if one.name == "stoker.picture"]
    assert said.startswith("engine=main cannot shrink: ")


async def test_what_is_free_is_reckoned_anew_when_it_changes(tmp_path: Path) -> None:
    small = {**H100, "memory_total": 1 << 30}
    node = await after_a_loss(tmp_path, host(tmp_path, shrink=True), **small)
    assert f"restart {UNIT}" not in node.acts
    node.nvml.value = reading(lost(), nvml(2, **H100).gpus[1])
    for _ in range(2):
        await node.tick()
    assert "on 1 of 2 GPUs" in node.shown.engines["main"].state.message
