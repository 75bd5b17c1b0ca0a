import itertools
import sys
import time
from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.gpus import Gpu, assign, read
from tests.agent.nvml_rig import PCI, command, simulated
from tests.sandbox.nvml.state import NvmlState, gpu_uuid

A, B, C, D = (Gpu(uuid=f"GPU-{letter}", bus=f"0000:0{i}:00.0") for i, letter in enumerate("abcd"))
WANTED = {"chat": 2, "code": 1}


def test_gives_in_the_order_of_bus_ids_whatever_order_nvml_has() -> None:
    for order in itertools.permutations([A, B, C, D]):
        assert assign(order, WANTED, {}) == {"chat": ("GPU-a", "GPU-b"), "code": ("GPU-c",)}


def test_what_a_running_engine_holds_is_not_given_away() -> None:
    # chat runs with GPUs of an older spec, and B has fallen off the bus.
    given = assign([A, C, D], {"chat": 2, "code": 1}, {"chat": ("GPU-c", "GPU-a")})
    assert given == {"chat": ("GPU-c", "GPU-a"), "code": ("GPU-d",)}


def test_an_engine_that_the_spec_no_longer_names_keeps_its_gpus_while_it_runs() -> None:
    assert assign([A, B], {"code": 1}, {"old": ("GPU-a",)})["code"] == ("GPU-b",)


def test_too_few_gives_fewer_never_another_engines() -> None:
    given = assign([A, B], {"chat": 2, "code": 1}, {})
    assert given == {"chat": ("GPU-a", "GPU-b"), "code": ()}


def test_an_engine_without_gpus_gets_none() -> None:
    assert assign([A], {"cpu": 0, "gpu": 1}, {}) == {"cpu": (), "gpu": ("GPU-a",)}


@pytest.mark.parametrize("seed", range(20))
def test_no_gpu_is_given_twice(seed: int) -> None:
    wanted = {"x": seed % 3, "y": seed % 4, "z": seed % 2}
    held = {"y": ("GPU-b",)} if seed % 5 else {}
    given = [uuid for uuids in assign([D, B, A, C], wanted, held).values() for uuid in uuids]
    assert len(given) == len(set(given))


def child(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


def test_reads_what_the_child_says() -> None:
    answer = '[{"uuid":"GPU-a","bus":"0000:01:00.0","processes":[7]}]'
    assert read(20, child(f"print({answer!r})")) == (
        Gpu(uuid="GPU-a", bus="0000:01:00.0", processes=(7,)),
    )


def asked(state: NvmlState) -> tuple[Gpu, ...]:
    return read(20, command(state, "-m", "agent.gpus"))


def test_the_child_asks_the_driver(tmp_path: Path) -> None:
    state = simulated(tmp_path)
    state.processes(1, {101: 5, 102: 6})
    first, second = asked(state)
    assert first == Gpu(
        uuid=gpu_uuid("gpu-1", 0),
        bus=PCI[0],
        name="NVIDIA H100 80GB HBM3",
        capability=90,
        memory=first.memory,
    )
    assert first.memory is not None
    assert 79 * 2**30 < first.memory <= 80 * 2**30
    assert second.processes == (101, 102)


@pytest.mark.parametrize(
    ("call", "field", "value"),
    [
        ("nvmlDeviceGetName", "name", ""),
        ("nvmlDeviceGetCudaComputeCapability", "capability", None),
        ("nvmlDeviceGetMemoryInfo", "memory", None),
    ],
)
def test_a_gpu_that_tells_less_is_still_a_gpu(
    tmp_path: Path, call: str, field: str, value: object
) -> None:
    state = simulated(tmp_path)
    state.inject_return(call, 3, gpu=0)
    first, second = asked(state)
    assert getattr(first, field) == value
    assert getattr(second, field) != value


def test_a_lost_gpu_is_left_out(tmp_path: Path) -> None:
    state = simulated(tmp_path)
    state.lose(0)
    assert [gpu.uuid for gpu in asked(state)] == [gpu_uuid("gpu-1", 1)]


def test_a_driver_that_hangs_is_given_up_at_the_deadline() -> None:
    began = time.monotonic()
    with pytest.raises(SourceError, match="the driver hangs"):
        read(0.1, child("import time; time.sleep(60)"))
    assert time.monotonic() - began < 5


def test_a_driver_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(SourceError, match=r"^NVML: NVML Shared Library Not Found$"):
        read(20, child("import sys; sys.exit('Traceback\\nNVML Shared Library Not Found')"))
