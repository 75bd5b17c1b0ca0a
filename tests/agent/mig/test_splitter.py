"""Splitting GPUs, with nvidia-smi and systemctl replaced."""

from pathlib import Path

import msgspec
import pytest

from agent.errors import ActionError, SourceError
from agent.gpus import Gpu
from agent.mig.__main__ import AS_DECLARED, holding, main
from agent.mig.splitter import Splitter
from agent.paths import Paths
from agent.reports import Started
from agent.spec import HostSpec
from tests.agent.node import DATA

TWO = {"0": ("3g.40gb", "3g.40gb")}
Refusal = tuple[int, str]


class Host:
    """nvidia-smi over `layout`: profiles by GPU, None = MIG is off. `did` = what changed anything.

    `fails` answers a command that contains its key. `slow` GPUs take up the mode at a reset.
    """

    def __init__(self, *layout: list[str] | None, active: tuple[str, ...] = ()) -> None:
        self.layout, self.active = list(layout), list(active)
        self.did: list[str] = []
        self.fails: dict[str, Refusal] = {}
        self.processes: dict[int, tuple[int, ...]] = {}
        self.slow: set[int] = set()
        self.engines: dict[str, tuple[str, ...]] = {}

    def splitter(self) -> Splitter:
        return Splitter(self.run, self.gpus, lambda: self.engines)

    def gpus(self) -> tuple[Gpu, ...]:
        return tuple(
            Gpu(uuid=f"GPU-{n}", bus=f"{n}", processes=self.processes.get(n, ()))
            for n in range(len(self.layout))
        )

    def run(self, words: tuple[str, ...]) -> tuple[int, str]:
        line = " ".join(words[1:] if words[0] == "nvidia-smi" else words)
        for part, answer in self.fails.items():
            if part in line:
                return answer
        if words[0] == "systemctl":
            return self._systemctl(words[1], words[-1])
        if "--query" in line:
            return 0, "\n".join(self._mode(n) for n in range(len(self.layout)))
        if line in {"mig -lgi", "mig -lci"}:
            return self._table(compute=line.endswith("-lci"))
        self.did.append(line)
        self._change(words, int(words[words.index("-i") + 1]))
        return 0, "done"

    def _change(self, words: tuple[str, ...], gpu: int) -> None:
        if "-cgi" in words:
            self.layout[gpu] = words[words.index("-cgi") + 1].split(",")
        elif {"-dgi", "--gpu-reset"} & {*words} or ("-mig" in words and gpu not in self.slow):
            self.layout[gpu] = []

    def _mode(self, gpu: int) -> str:
        mode = "Disabled" if self.layout[gpu] is None else "Enabled"
        asked = any("-mig" in one for one in self.did)
        return f"{gpu}, GPU-{gpu}, {mode}, {'Enabled' if asked else mode}"

    def _table(self, *, compute: bool) -> tuple[int, str]:
        rows = [
            (gpu, number, profile)
            for gpu, profiles in enumerate(self.layout)
            for number, profile in enumerate(profiles or [], 1)
        ]
        if not rows:
            return 6, "No GPU instances found: Not Found"
        if compute:
            return 0, "\n".join(f"| {g} {n} MIG {p} 2 0 0:3 |" for g, n, p in rows)
        return 0, "\n".join(f"| {g} MIG {p} 9 {n} 0:4 |" for g, n, p in rows)

    def _systemctl(self, verb: str, unit: str) -> tuple[int, str]:
        if verb == "is-active":
            return (0 if unit in self.active else 3), ""
        self.did.append(f"{verb} {unit}")
        return 0, ""


def test_as_declared_touches_nothing() -> None:
    host = Host(["3g.40gb", "3g.40gb"], None)
    assert host.splitter().split(TWO) == {}
    assert host.did == []


def test_after_a_boot_mode_and_instances_are_made_again() -> None:
    host = Host(None, None)
    found = host.splitter().split(TWO)
    assert found == {0: "GPU 0 has MIG off, should have 3g.40gb, 3g.40gb"}
    assert host.did == ["-i 0 -mig 1", "mig -cgi 3g.40gb,3g.40gb -C -i 0"]
    assert host.layout == [["3g.40gb", "3g.40gb"], None]


def test_another_layout_is_taken_down_first() -> None:
    host = Host(["7g.80gb"], ["1g.10gb"])
    host.splitter().split(TWO)
    assert host.did == ["mig -dci -i 0", "mig -dgi -i 0", "mig -cgi 3g.40gb,3g.40gb -C -i 0"]
    assert host.layout[1] == ["1g.10gb"]  # not declared, so not ours


def test_what_holds_the_driver_is_stopped_and_not_waited_for_afterwards() -> None:
    host = Host(None, active=("stoker-agent.service",))
    host.splitter().split(TWO)
    assert host.did[0] == "stop stoker-agent.service"
    assert host.did[-1] == "start stoker-agent.service"


def test_it_is_started_again_also_when_nothing_comes_of_it() -> None:
    host = Host(None, active=("stoker-agent.service",))
    host.fails["-cgi"] = (19, "Failed to create GPU instances: Insufficient Resources")
    with pytest.raises(ActionError, match="Insufficient Resources"):
        host.splitter().split(TWO)
    assert host.did[-1] == "start stoker-agent.service"


def test_what_is_in_use_stays_as_it_is() -> None:
    host = Host(["7g.80gb"])
    host.processes[0] = (77,)
    with pytest.raises(ActionError, match=r"GPU 0 is in use by process 77.*stop what runs there"):
        host.splitter().split(TWO)
    assert host.did == []


def test_what_an_engine_was_given_stays_as_it_is_also_while_it_loads() -> None:
    host = Host(["7g.80gb"], None)
    host.engines = {"chat": ("GPU-0",)}
    with pytest.raises(ActionError, match=r"GPU 0 is held by engine chat.*first"):
        host.splitter().split(TWO)
    assert host.did == []
    host.engines = {"chat": ("GPU-1",)}
    assert host.splitter().split(TWO)


def test_what_engines_hold_is_read_from_their_reports(tmp_path: Path) -> None:
    assert holding(Paths(run=tmp_path)) == {}
    (tmp_path / "engines").mkdir()
    report = Started(engine="chat", digest="", container="", gpus=("GPU-0",), started=0.0)
    (tmp_path / "engines" / "chat.json").write_bytes(msgspec.json.encode(report))
    assert holding(Paths(run=tmp_path)) == {"chat": ("GPU-0",)}


def test_who_uses_it_is_unknown_so_it_stays() -> None:
    host = Host(["7g.80gb"])
    with pytest.raises(SourceError, match="does not tell who uses it"):
        Splitter(host.run, lambda: (), dict).split(TWO)
    assert host.did == []


def test_what_cannot_be_looked_at_is_not_touched() -> None:
    host = Host(["7g.80gb"])
    host.fails["-lgi"] = (255, "Unknown Error")
    with pytest.raises(SourceError, match="Unknown Error"):
        host.splitter().split(TWO)
    assert host.did == []


def test_a_gpu_before_hopper_is_reset_to_take_up_the_mode() -> None:
    host = Host(None)
    host.slow = {0}
    host.splitter().split(TWO)
    assert host.did[:2] == ["-i 0 -mig 1", "--gpu-reset -i 0"]


def test_a_gpu_that_cannot_be_split_is_said() -> None:
    host = Host(None)
    host.fails["--query"] = (0, "0, GPU-0, [N/A], [N/A]")
    with pytest.raises(ActionError, match="GPU 0 cannot be split"):
        host.splitter().split(TWO)


def _node(path: Path, mig: dict[str, tuple[str, ...]]) -> Paths:
    data = {**DATA, "driver_gpu_count": 1, "driver_mig": mig, "engine_gpus": 0}
    (path / "host.json").write_bytes(HostSpec.from_data("gpu-1", data).dump())
    return Paths(etc=path)


@pytest.mark.parametrize(
    ("layout", "options", "code", "said", "changes"),
    [
        (["3g.40gb"], ["--check"], 0, AS_DECLARED, False),
        (["7g.80gb"], ["--check"], 2, "GPU 0 has 7g.80gb, should have 3g.40gb", False),
        (["7g.80gb"], [], 0, "GPU 0 has 7g.80gb", True),
    ],
)
def test_the_program(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    layout: list[str],
    options: list[str],
    code: int,
    said: str,
    *,
    changes: bool,
) -> None:
    host = Host(layout)
    paths = _node(tmp_path, {"0": ("3g.40gb",)})
    assert main(options, host.splitter(), paths) == code
    out = capsys.readouterr().out
    assert said in out
    assert (AS_DECLARED in out) == (code == 0)
    assert bool(host.did) == changes


def test_the_program_without_a_spec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = Host(None)
    assert main([], host.splitter(), Paths(etc=tmp_path)) == 1
    assert "host.json" in capsys.readouterr().out
    assert host.did == []
