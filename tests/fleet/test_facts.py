"""What facts make of what a host prints."""

from agent.drift.manifest import Directory, File, Link, Package
from fleet.facts.digest import Digests, StartedWith
from fleet.facts.packages import Installed
from fleet.facts.paths import PathStates, Text
from fleet.facts.units import UnitStates, is_up
from fleet.operations.sysctl import Kernel, KernelNow


def test_paths() -> None:
    digest = "0" * 64
    lines = [
        *("l|/a|/b", "s|/c|directory|755|root|root", "s|/d|regular file|600|root|www"),
        f"{digest}  /d",
    ]
    assert PathStates().process(lines) == {
        "/a": Link(target="/b"),
        "/c": Directory(mode="755", user="root", group="root"),
        "/d": File(sha256=digest, mode="600", user="root", group="www"),
    }


def test_a_path_is_quoted() -> None:
    assert "'/a b'" in PathStates().command(paths=["/a b"]).get_raw_value()
    assert "'/a b'" in Text().command(path="/a b").get_raw_value()


def test_only_installed_packages_count() -> None:
    lines = [
        "nginx|install|installed|1.2",
        "held|hold|installed|3",
        "gone|deinstall|config-files|4",
    ]
    assert Installed().process(lines) == {
        "nginx": Package(version="1.2"),
        "held": Package(version="3", hold=True),
    }


def test_units() -> None:
    lines = ["units=a.service b@x.service", "Id=a.service", "ActiveState=active", "Id=b"]
    states = UnitStates().process(lines)
    assert states["a.service"]["ActiveState"] == "active"
    assert is_up(states["a.service"])
    assert not is_up(states["b@x.service"])


def test_a_unit_that_left_no_stamp_does_not_run_with_what_lies_there() -> None:
    assert not StartedWith().process(["abc"]).equal
    assert StartedWith().process(["abc", '{"digest": "abc"}']).equal
    assert not StartedWith().process(["abc", "abd"]).equal
    assert not Digests().equal


def test_the_kernel() -> None:
    shown = ["net.ipv4.ip_local_port_range=32768 60999", "vm.swappiness=60"]
    found = KernelNow().process([*shown, "writable=vm.swappiness", "sockets=2"])
    assert found == Kernel(
        values={"net.ipv4.ip_local_port_range": "32768 60999", "vm.swappiness": "60"},
        writable=frozenset({"vm.swappiness"}),
        sockets=2,
    )
