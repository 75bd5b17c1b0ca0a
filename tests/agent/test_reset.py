"""A reset by hand of systemd, its services and nvidia-smi, with the host's commands replaced."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.errors import ActionError
from agent.paths import Paths
from agent.reset import ALL, command, holding, main, reset
from agent.spec import HostSpec
from agent.xid import line
from agent.xid.fault import Kind
from tests.agent.node import DATA

DCGM, PERSISTENCE = "nvidia-dcgm.service", "nvidia-persistenced.service"
FABRIC = "nvidia-fabricmanager.service"
BUS = "00000000:3B:00.0"


class Host:
    """systemctl and nvidia-smi, as far as a reset uses them; `fails` maps a verb to an exit code.

    `users` are the processes that hold the GPU beside the services.
    """

    def __init__(self, *active: str) -> None:
        self.active = list(active)
        self.did: list[str] = []
        self.fails: dict[str, int] = {}
        self.users: list[str] = []

    def run(self, words: tuple[str, ...]) -> tuple[int, str]:
        if words[0] == "nvidia-smi":
            self.did.append(
                " ".join(words[1:2] + words[3:] if "--query" in words[1] else words[1:])
            )
            asked = "query" if "--query" in words[1] else "reset"
            return self.fails.get(asked, 0), f"first line\n{BUS if asked == 'query' else 'done'}"
        _, verb, unit = words
        if verb == "is-active":
            return (0 if unit in self.active else 3), ""
        self.did.append(f"{verb} {unit}")
        if code := self.fails.get(f"{verb} {unit}", 0):
            return code, "Job failed."
        (self.active.remove if verb == "stop" else self.active.append)(unit)
        return 0, ""

    def holds(self, target: str) -> list[str]:
        self.did.append(f"users of {target}")
        return [*self.users, *(unit for unit in self.active if unit == DCGM)]


def armed(path: Path, *, arm: bool = True) -> Paths:
    spec = HostSpec.from_data("host", {**DATA, "agent_arm_reset": arm})
    (path / "host.json").write_bytes(spec.dump())
    return Paths(etc=path)


def test_services_let_go_first_and_come_back_in_reverse() -> None:
    host = Host(DCGM, PERSISTENCE)
    assert BUS in reset("GPU-A", host.run, host.holds)
    assert host.did == [
        f"stop {DCGM}",
        f"stop {PERSISTENCE}",
        "users of GPU-A",
        "--gpu-reset -i GPU-A",
        "--query-gpu=pci.bus_id -i GPU-A",
        f"start {PERSISTENCE}",
        f"start {DCGM}",
    ]


def test_only_what_ran_is_started_again() -> None:
    host = Host(PERSISTENCE)
    reset("GPU-A", host.run, host.holds)
    assert host.active == [PERSISTENCE]
    assert not [did for did in host.did if DCGM in did]


def test_all_gpus_need_the_fabric_manager_out_of_the_way() -> None:
    host = Host(DCGM, PERSISTENCE, FABRIC)
    reset(ALL, host.run, host.holds)
    assert host.did[2] == f"stop {FABRIC}"
    assert "--gpu-reset" in host.did
    assert host.did[-3:] == [f"start {FABRIC}", f"start {PERSISTENCE}", f"start {DCGM}"]
    one = Host(FABRIC)
    reset("GPU-A", one.run, one.holds)
    assert not [did for did in one.did if FABRIC in did]


@pytest.mark.parametrize(
    ("fails", "why"),
    [
        ({"reset": 1}, "--gpu-reset -i GPU-A: done"),
        ({"query": 9}, "--query-gpu"),
        ({f"stop {PERSISTENCE}": 1}, f"stop {PERSISTENCE}: Job failed"),
    ],
)
def test_services_come_back_whatever_went_wrong(fails: dict[str, int], why: str) -> None:
    host = Host(DCGM, PERSISTENCE)
    host.fails = fails
    with pytest.raises(ActionError, match=why):
        reset("GPU-A", host.run, host.holds)
    assert sorted(set(host.active)) == [DCGM, PERSISTENCE]
    assert ("--gpu-reset -i GPU-A" in host.did) is ("reset" in fails or "query" in fails)


def test_a_service_that_does_not_come_back_keeps_no_other_from_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    host = Host(DCGM, PERSISTENCE)
    host.fails = {f"start {PERSISTENCE}": 1}
    reset("GPU-A", host.run, host.holds)
    assert host.active == [DCGM]
    assert f"start {PERSISTENCE}: Job failed" in capsys.readouterr().out


def test_what_is_in_use_is_not_reset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = Host(DCGM)  # which itself is no obstacle
    host.users = ["python (77)"]
    assert main("GPU-A", host.run, host.holds, armed(tmp_path), tmp_path / "log") == 1
    assert "in use by python (77)" in capsys.readouterr().out
    assert host.active == [DCGM]
    assert not [did for did in host.did if "gpu-reset" in did]
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("text", [None, b"{}", b"garbled"])
def test_unarmed_or_unreadable_nothing_is_touched(tmp_path: Path, text: bytes | None) -> None:
    paths = armed(tmp_path, arm=False)
    if text is not None:
        paths.spec.write_bytes(text)
    host = Host(DCGM)
    assert main("GPU-A", host.run, host.holds, paths, tmp_path / "log") == 1
    assert host.did == []


def test_the_kernels_log_gets_a_line_that_the_agent_reads(tmp_path: Path) -> None:
    host = Host()
    host.run = lambda words: (0, BUS if words[0] == "nvidia-smi" else "")  # type: ignore[method-assign]
    log = tmp_path / "log"
    assert main("GPU-A", host.run, host.holds, armed(tmp_path), log) == 0
    told = line.parse(log.read_text().strip())
    assert told is not None
    assert (told.kind, told.gpu) == (Kind.RESET, "00000000:3b:00")


def test_a_log_that_takes_no_line_does_not_spoil_a_reset(tmp_path: Path) -> None:
    host = Host()
    assert main("GPU-A", host.run, host.holds, armed(tmp_path), tmp_path / "no" / "log") == 0


def process(proc: Path, pid: int, name: str, *files: str) -> None:
    (proc / str(pid) / "fd").mkdir(parents=True)
    (proc / str(pid) / "comm").write_text(name + "\n")
    for number, file in enumerate(files):
        (proc / str(pid) / "fd" / str(number)).symlink_to(file)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    process(tmp_path, 10, "python", "/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm")
    process(tmp_path, 11, "vllm", "/dev/nvidia1")
    process(tmp_path, 12, "nvidia-persiste", "/dev/nvidiactl", "/dev/nvidia-modeset")
    process(tmp_path, 13, "bash", "/dev/null", "/home/nvidia0")
    process(tmp_path, 14, "dcgm", "/dev/nvidia10")
    (tmp_path / "15").mkdir()  # it ends while we look
    (tmp_path / "meminfo").write_text("")
    return tmp_path


def information(proc: Path, bus: str, uuid: str, minor: int) -> None:
    """As nv-procfs.c of the open kernel modules prints it."""
    directory = proc / "driver/nvidia/gpus" / bus
    directory.mkdir(parents=True)
    text = (
        f"Model: \t\t NVIDIA H100\nIRQ:   \t\t 79\nGPU UUID: \t {uuid}\nDevice Minor: \t {minor}\n"
    )
    (directory / "information").write_text(text)


def test_an_engine_on_another_gpu_is_no_obstacle(proc: Path) -> None:
    """Else a fault of one GPU would end in a reboot for all of them."""
    information(proc, "0000:3b:00.0", "GPU-A", 0)
    information(proc, "0000:5e:00.0", "GPU-B", 1)
    information(proc, "0000:86:00.0", "GPU-C", 2)
    assert holding("GPU-A", proc) == ["python (10)"]
    assert holding("GPU-B", proc) == ["vllm (11)"]
    assert holding("GPU-C", proc) == []


def test_where_the_device_is_not_known_any_gpus_counts(proc: Path) -> None:
    everybody = ["dcgm (14)", "python (10)", "vllm (11)"]
    assert holding("GPU-A", proc) == everybody
    information(proc, "0000:3b:00.0", "GPU-A", 0)
    assert holding("GPU-X", proc) == everybody
    assert holding(ALL, proc) == everybody


def test_the_real_processes_can_be_listed() -> None:
    assert all(name.endswith(")") for name in holding(ALL))


def test_a_real_command() -> None:
    assert command(("sh", "-c", "echo out; echo err >&2; exit 3")) == (3, "out\nerr")


def test_stopped_in_the_middle_it_still_starts_what_it_has_stopped(tmp_path: Path) -> None:
    """systemd sends SIGTERM to a unit that is late; the commands are real ones of a test's own."""
    armed(tmp_path)
    for name, text in {
        "systemctl": f'echo "$1 $2" >> {tmp_path}/did',
        "nvidia-smi": f"touch {tmp_path}/resetting; exec sleep 30",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    program = (
        "import signal, sys; from pathlib import Path; from agent.reset import *;"
        "stop_on_term(); here = Path(sys.argv[1]);"
        "sys.exit(main('GPU-A', command, lambda _: [], Paths(etc=here), here / 'log'))"
    )
    late = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    until = time.monotonic() + 20
    while not (tmp_path / "resetting").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    late.send_signal(signal.SIGTERM)
    assert late.wait(10) == 1
    assert (tmp_path / "did").read_text().splitlines()[-2:] == [
        f"start {PERSISTENCE}",
        f"start {DCGM}",
    ]
