"""MIG in the stand-in for nvidia-smi, and our program that splits GPUs, driving it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import ActionError
from agent.gpus import Gpu, read
from agent.mig.splitter import Splitter
from tests.agent.nvml_rig import command, simulated
from tests.sandbox.nvml.state import gpu_uuid
from tests.sandbox.nvml_host import NvmlHost, nvml_host

HALVES = {"1": ("3g.40gb", "3g.40gb")}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[NvmlHost]:
    with nvml_host(tmp_path, started=False) as running:
        yield running


def splitter(host: NvmlHost, *processes: int) -> Splitter:
    def run(words: tuple[str, ...]) -> tuple[int, str]:
        return host.smi(*words[1:]) if words[0] == "nvidia-smi" else (3, "")

    gpus = [Gpu(uuid=gpu_uuid("gpu-1", n), bus=f"{n}", processes=processes) for n in (0, 1)]
    return Splitter(run, lambda: gpus, dict)


def test_our_program_splits_and_finds_it_split(host: NvmlHost) -> None:
    assert list(splitter(host).split(HALVES)) == [1]
    assert splitter(host).split(HALVES) == {}
    _, listed = host.smi("-L")
    gpu, split, first, second = listed.splitlines()
    assert gpu_uuid("gpu-1", 0) in gpu
    assert gpu_uuid("gpu-1", 1) in split
    assert first.startswith("  MIG 3g.40gb     Device  0: (UUID: MIG-")
    assert second.startswith("  MIG 3g.40gb     Device  1: (UUID: MIG-")


def test_another_layout_replaces_it(host: NvmlHost) -> None:
    splitter(host).split(HALVES)
    wanted = {"1": ("4g.40gb", "1g.10gb", "1g.10gb", "1g.10gb")}
    splitter(host).split(wanted)
    assert splitter(host).differing(wanted) == {}
    assert splitter(host).differing(HALVES) == {
        1: "GPU 1 has 4g.40gb, 1g.10gb, 1g.10gb, 1g.10gb, should have 3g.40gb, 3g.40gb"
    }


def test_what_does_not_fit_is_said_in_nvidias_words(host: NvmlHost) -> None:
    with pytest.raises(ActionError, match="Insufficient Resources"):
        splitter(host).split({"1": ("4g.40gb", "4g.40gb")})


def test_a_reset_ends_it_and_it_is_made_again(host: NvmlHost) -> None:
    splitter(host).split(HALVES)
    assert host.smi("--gpu-reset", "-i", "1")[0] == 0
    assert host.smi("mig", "-lgi") == (6, "No MIG-enabled devices found.\n")
    assert splitter(host).split(HALVES) == {1: "GPU 1 has MIG off, should have 3g.40gb, 3g.40gb"}


def test_instances_without_compute_instances_are_not_the_layout(host: NvmlHost) -> None:
    splitter(host).split(HALVES)
    assert host.smi("mig", "-dci", "-i", "1")[0] == 0
    assert host.smi("mig", "-lci")[0] == 6
    assert list(splitter(host).split(HALVES)) == [1]


def test_nvidia_smi_refuses_what_is_in_use(host: NvmlHost) -> None:
    host.nvml.call("nvmlInit")
    code, text = host.smi("-i", "1", "-mig", "1")
    assert (code, "In use by another client" in text) == (255, True)
    host.nvml.call("nvmlShutdown")
    splitter(host).split(HALVES)
    host.state.processes(1, {77: 1})
    assert "In use by another client" in host.smi("mig", "-dci", "-i", "1")[1]


def test_a_split_gpu_is_not_handed_to_an_engine_as_a_whole(tmp_path: Path) -> None:
    state = simulated(tmp_path)
    state.set(1, "mig.current", 1)
    assert [gpu.split for gpu in read(20, command(state, "-m", "agent.gpus"))] == [False, True]
