"""Kernel settings, the journal and needrestart: what would be run, given what is found."""

from hashlib import sha256

from agent.drift.manifest import File
from agent.kernel_settings import PORTS
from fleet import manifest
from fleet.facts.paths import PathStates
from fleet.operations.journald import JournaldIsCurrent, journald_current
from fleet.operations.needrestart import PATH as NEEDRESTART
from fleet.operations.needrestart import HasNeedrestart, needrestart_quiet
from fleet.operations.sysctl import PATH, Kernel, KernelNow, sysctl, sysctl_file
from tests.fleet.samples import FakeHost, commands, spec

GOOD = {"vm.swappiness": "1", "vm.max_map_count": "1048576", "net.core.somaxconn": "4096"}
GOOD |= {"fs.file-max": "2000000", PORTS: "16384 60999"}


def kernel(writable: frozenset[str] | None = None, **changed: str) -> Kernel:
    values = {**GOOD, **{key.replace("__", "."): value for key, value in changed.items()}}
    return Kernel(values=values, writable=frozenset(values) if writable is None else writable)


def run(found: Kernel, *, container: bool = False) -> list[str]:
    host = FakeHost({KernelNow: found})
    made = commands(host, lambda: sysctl._inner(spec(), container=container))
    return [command.get_raw_value() for command in made]


def test_only_what_differs_is_set() -> None:
    assert run(kernel()) == []
    assert run(kernel(vm__swappiness="60")) == ["sysctl -q -w vm.swappiness=1"]


def test_in_a_container_only_the_network_is_its_own() -> None:
    changed = kernel(vm__swappiness="60", net__core__somaxconn="128")
    assert run(changed, container=True) == ["sysctl -q -w net.core.somaxconn=4096"]


def test_what_cannot_be_written_is_left_alone() -> None:
    assert run(kernel(frozenset(), vm__swappiness="60")) == []


def test_the_file_leaves_out_what_the_host_allows_more_of() -> None:
    host = FakeHost({KernelNow: kernel(), PathStates: {}})
    [command] = commands(host, lambda: sysctl_file._inner(spec()))
    text = str(command.connector_arguments["_stdin"])
    assert "-vm.swappiness = 1\n" in text
    assert "fs.file-max" not in text
    assert PATH in manifest.of(host).files  # type: ignore[arg-type]
    there = File(sha256=sha256(text.encode()).hexdigest(), mode="644", user="root", group="root")
    again = FakeHost({KernelNow: kernel(), PathStates: {PATH: there}})
    assert commands(again, lambda: sysctl_file._inner(spec())) == []


def test_journald_is_restarted_only_where_it_is_older_than_its_settings() -> None:
    assert JournaldIsCurrent().process([])
    assert not JournaldIsCurrent().process(["stale"])
    assert commands(FakeHost({JournaldIsCurrent: True}), journald_current._inner) == []
    [restart] = commands(FakeHost({JournaldIsCurrent: False}), journald_current._inner)
    assert restart.get_raw_value() == "systemctl restart systemd-journald.service"


def test_needrestart_is_told_only_where_it_is() -> None:
    bare = FakeHost({HasNeedrestart: False})
    assert commands(bare, lambda: needrestart_quiet._inner("x\n")) == []
    assert NEEDRESTART not in manifest.of(bare).files  # type: ignore[arg-type]
    ubuntu = FakeHost({HasNeedrestart: True, PathStates: {}})
    [command] = commands(ubuntu, lambda: needrestart_quiet._inner("x\n"))
    assert "perl -c" in command.get_raw_value()
