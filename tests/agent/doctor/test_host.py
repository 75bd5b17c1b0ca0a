"""What is found of packages, disks, kernel, clock, units, and of how the host was deployed."""

import json

import msgspec
import pytest

from agent.doctor.examinations.clock import Clock
from agent.doctor.examinations.deployed import Deployed
from agent.doctor.examinations.disks import Disks
from agent.doctor.examinations.drift import REPORT, Drift
from agent.doctor.examinations.firewall import FILE, Firewall
from agent.doctor.examinations.kernel import Kernel, noexec
from agent.doctor.examinations.packages import (
    DriverPackages,
    Holds,
    PackageSources,
    UnattendedUpgrades,
)
from agent.doctor.examinations.reboot import PendingReboot
from agent.doctor.examinations.tuning import Tuning
from agent.doctor.examinations.units import Units
from agent.doctor.node import Look, Ran, Space
from agent.doctor.seen import MANIFEST
from agent.drift.manifest import Manifest, Package, Unit
from agent.errors import SourceError
from tests.agent.doctor.fakes import NOW, FakeNode, found, told
from tests.fleet.samples import spec

SPEC = spec(driver_gpu_count=1)
GIB = 1024**3
NOT_INSIDE = Ran(1, "none\n")  # systemd-detect-virt on a machine of its own
HELD = {"docker-ce": Package(hold=True), "nvidia-driver-cuda": Package(hold=True)}


def manifest(**parts: object) -> dict[str, str]:
    return {MANIFEST: msgspec.json.encode(Manifest(**parts)).decode()}  # type: ignore[arg-type]


def dpkg(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


def test_packages_that_may_move_are_named_with_the_command() -> None:
    shown = dpkg("docker-ce|install|installed|29", "nvidia-driver-cuda|hold|installed|595")
    node = FakeNode(manifest(packages=HELD), {"dpkg-query": shown})
    [one] = found(Holds(), node, SPEC)
    assert one.message.startswith("docker-ce: not held")
    assert one.fix == "apt-mark hold docker-ce"


def test_packages_that_are_gone_or_of_another_version() -> None:
    wanted = {"a": Package(), "b": Package(version="1-1")}
    shown = Ran(1, dpkg("b|install|installed|2-1"), "no packages found matching a")
    node = FakeNode(manifest(packages=wanted), {"dpkg-query": shown})
    assert told(found(Holds(), node, SPEC)) == [
        "fault: a: not installed any more",
        "fault: b is 2-1, deployed was 1-1",
    ]


def test_a_host_without_a_manifest_holds_nothing() -> None:
    assert found(Holds(), FakeNode(), SPEC) == []


def test_a_half_upgraded_driver_is_found_by_its_parts() -> None:
    rows = [
        "nvidia-driver-cuda|hold|installed|595.97.01-1",
        "nvidia-kernel-open-dkms|hold|installed|595.91.07-1",
        "nvidia-container-toolkit|hold|installed|1.20.1-1",
        "nvidia-driver-pinning-595|install|installed|595-1",
        "libnvidia-ml1|install|installed|595.97.01-1",
    ]
    [one] = told(found(DriverPackages(), FakeNode({}, {"dpkg-query": dpkg(*rows)}), SPEC))
    assert "595.91.07: nvidia-kernel-open-dkms" in one
    same = [row.replace("595.97.01", "595.91.07") for row in rows]
    assert found(DriverPackages(), FakeNode({}, {"dpkg-query": dpkg(*same)}), SPEC) == []
    two = [*same, "nvidia-driver-pinning-580|install|installed|580-1"]
    [one] = told(found(DriverPackages(), FakeNode({}, {"dpkg-query": dpkg(*two)}), SPEC))
    assert "only one of them counts" in one


def test_a_source_twice_a_run_file_and_two_dockers() -> None:
    files = {
        "/etc/apt/sources.list.d/stoker-docker.sources": "URIs: https://d.example/debian\n",
        "/etc/apt/sources.list.d/docker.list": "deb https://d.example/debian trixie stable\n",
        "/etc/apt/sources.list.d/old.list": "# deb https://d.example/debian trixie stable\n",
        "/usr/bin/nvidia-uninstall": "",
    }
    docker = dpkg("docker-ce|install|installed|29", "docker.io|install|installed|26")
    findings = found(PackageSources(), FakeNode(files, {"dpkg-query": docker}), SPEC)
    assert [one.fix.split(",")[0] for one in findings] == [
        "rm /etc/apt/sources.list.d/docker.list",
        "drained: nvidia-uninstall",
        "keep docker-ce",
    ]


def upgrades(*patterns: str, installed: bool = True) -> FakeNode:
    shown = "".join(f'Unattended-Upgrade::Package-Blacklist:: "{one}";\n' for one in patterns)
    there = dpkg("unattended-upgrades|install|installed|2") if installed else ""
    commands = {"dpkg-query": there, "apt-config": shown}
    return FakeNode(manifest(packages=HELD), commands)


def test_what_unattended_upgrades_may_move() -> None:
    [one] = told(found(UnattendedUpgrades(), upgrades("^nvidia-"), SPEC))
    assert "may move docker-ce:" in one
    assert found(UnattendedUpgrades(), upgrades("^nvidia-", "docker", "(broken"), SPEC) == []
    assert found(UnattendedUpgrades(), upgrades(installed=False), SPEC) == []


def test_a_reboot_that_is_asked_for_and_modules_that_are_gone() -> None:
    asked = {"/run/reboot-required": "", "/run/reboot-required.pkgs": "linux-image\nlibc6\n"}
    commands: dict[str, str | Ran] = {"uname": "6.12.0\n", "systemd-detect-virt": NOT_INSIDE}
    findings = told(found(PendingReboot(), FakeNode(asked, commands), SPEC))
    assert "because of libc6, linux-image" in findings[0]
    assert "modules of the running kernel 6.12.0 are gone" in findings[1]
    well = FakeNode({}, commands, looks={"/lib/modules/6.12.0": Look(directory=True)})
    assert found(PendingReboot(), well, SPEC) == []
    inside = FakeNode({}, {**commands, "systemd-detect-virt": "docker\n"})
    assert found(PendingReboot(), inside, SPEC) == []


def clock(synchronised: str, offset: str = "", virt: str | Ran = NOT_INSIDE) -> FakeNode:
    commands = {"timedatectl": synchronised, "systemd-detect-virt": virt}
    if offset:
        commands["chronyc"] = f"Stratum : 3\nSystem time     : {offset} seconds slow of NTP time\n"
    return FakeNode({}, commands)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (clock("yes", "0.000012345"), []),
        (clock("yes", "3.5"), ["fault: the clock is 3.5 s off"]),
        (clock("no"), ["warning: the clock is not synchronised"]),
        (clock("no", virt="docker\n"), ["note: the clock is not synchronised; it is that of the "
                                        "machine below"]),
    ],
)  # fmt: skip
def test_the_clock(node: FakeNode, said: list[str]) -> None:
    assert told(found(Clock(), node, SPEC)) == said


def test_a_clock_that_cannot_be_asked_is_unknown() -> None:
    with pytest.raises(SourceError):
        found(Clock(), FakeNode(), SPEC)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (Space(where=1, free=200 * GIB, total=900 * GIB, inodes_free=90, inodes=100), ""),
        (Space(where=1, free=4 * GIB, total=900 * GIB), "warning: / has 4.0 GiB free"),
        (Space(where=1, free=1, total=900 * GIB), "fault: / is full"),
        (Space(where=1, free=GIB // 2, total=GIB), ""),
        (Space(where=1, free=GIB // 100, total=GIB), "fault: / is full: 10 MiB free of 1.0 GiB"),
        (Space(where=1, free=0, total=0), ""),
        (Space(where=1, free=200 * GIB, total=900 * GIB, inodes_free=1, inodes=100),
         "warning: / has used 99 % of its inodes"),
    ],
)  # fmt: skip
def test_disks(space: Space, said: str) -> None:
    findings = told(found(Disks(), FakeNode(spaces={"/": space, "/tmp": space}), SPEC))
    assert len(findings) == bool(said)
    assert "".join(findings).startswith(said)


KERNEL = {
    "/proc/sys/net/ipv4/ip_forward": "1\n",
    "/proc/sys/vm/overcommit_memory": "0\n",
    "/proc/sys/vm/swappiness": "1\n",
    "/proc/sys/net/ipv4/ip_local_port_range": "16384\t60999\n",
    "/proc/self/mounts": "/dev/sda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw,nosuid 0 0\n",
}


def kernel(virt: str | Ran = NOT_INSIDE, **changed: str) -> FakeNode:
    files = {**KERNEL, **{path.replace("__", "/"): text for path, text in changed.items()}}
    return FakeNode(files, {"systemd-detect-virt": virt})


def test_settings_that_break_engines_and_settings_that_were_lost() -> None:
    assert found(Kernel(), kernel(), SPEC) == []
    [one] = found(Kernel(), kernel(__proc__sys__net__ipv4__ip_forward="0\n"), SPEC)
    assert "containers would have no network" in one.message
    assert one.fix.endswith("sysctl -w net.ipv4.ip_forward=1")
    node = kernel()
    node.files["/proc/sys/vm/overcommit_memory"] = "2\n"
    [one] = found(Kernel(), node, None)
    assert one.fix.endswith("vm.overcommit_memory=0")
    node = kernel()
    node.files["/proc/sys/vm/swappiness"] = "60\n"
    assert "vm.swappiness = 60 instead of 1" in told(found(Kernel(), node, SPEC))[0]
    assert found(Kernel(), node, spec(base_sysctl={"vm.swappiness": None})) == []


def test_a_container_has_the_kernel_of_another() -> None:
    node = kernel(virt="docker\n")
    node.files["/proc/sys/vm/swappiness"] = "60\n"
    node.files["/proc/self/mounts"] = "tmpfs /tmp tmpfs rw,noexec 0 0\n"
    assert [one.severity for one in found(Kernel(), node, SPEC)] == ["note"]


def test_mounts_on_which_no_program_may_run() -> None:
    node = kernel()
    node.files["/proc/self/mounts"] += "tmpfs /dev/shm tmpfs rw,noexec 0 0\n"
    assert told(found(Kernel(), node, SPEC))[0].startswith("warning: /dev/shm: mounted noexec")
    node.files["/proc/self/mounts"] += "/dev/sdb /var ext4 rw,noexec 0 0\n"
    said = told(found(Kernel(), node, SPEC))
    assert said[0].startswith("fault: /var/lib/docker is mounted noexec")


def test_the_innermost_mount_counts() -> None:
    mounts = "a / ext4 rw,noexec 0 0\nb /opt ext4 rw 0 0\n"
    assert list(noexec(mounts, ("/opt/stoker", "/optional", "/tmp"))) == ["/optional", "/tmp"]


def drift(
    checked: float | None, deployed: float = NOW - 86400, *drifted: dict[str, str]
) -> FakeNode:
    files = manifest()
    if checked is not None:
        files[REPORT] = json.dumps({"at": checked, "release": "r", "findings": drifted})
    return FakeNode(files, looks={MANIFEST: Look(time=deployed)})


def test_a_check_for_drift_that_is_late() -> None:
    assert found(Drift(), drift(NOW - 1800), SPEC) == []
    assert found(Drift(), drift(None, NOW - 600), SPEC) == []
    assert "24.0 h ago" in told(found(Drift(), drift(None), SPEC))[0]
    assert found(Drift(), drift(None), spec(drift_enabled=False)) == []
    assert found(Drift(), FakeNode(), SPEC) == []


def test_drift_that_no_later_deploy_corrected() -> None:
    one = {"stage": "base", "operation": "place /etc/x", "kind": "safe", "left": "report only"}
    corrected = {**one, "left": ""}
    node = drift(NOW - 60, NOW - 600, one, one, one, one)
    [said] = told(found(Drift(), node, SPEC))
    assert "base | place /etc/x" in said
    assert found(Drift(), drift(NOW - 60, NOW - 600, corrected), SPEC) == []
    assert said.endswith("and 1 more")
    assert found(Drift(), drift(NOW - 600, NOW - 60, one), SPEC) == []


def test_the_firewall() -> None:
    rules = "table inet stoker {\n chain input {\n type filter hook input; policy drop;\n"
    node = FakeNode({FILE: ""}, {"nft": rules})
    assert found(Firewall(), node, SPEC) == []
    node.commands["nft"] = Ran(1, "", "Error: No such file or directory\n")
    assert told(found(Firewall(), node, SPEC))[0].startswith("fault: the firewall is not loaded")
    node.commands["nft"] = rules.replace("drop", "accept")
    assert "lets everything in" in told(found(Firewall(), node, SPEC))[0]
    assert found(Firewall(), node, spec(firewall_enabled=False)) == []
    node.commands["nft"] = Ran(1, "", "Operation not permitted")
    with pytest.raises(SourceError):
        found(Firewall(), node, SPEC)


def units(shown: str, journal: str = "") -> FakeNode:
    wanted = {"cron.service": Unit(enabled=True, active=True), "x.service": Unit(enabled=True)}
    return FakeNode(manifest(units=wanted), {"systemctl show": shown, "journalctl": journal})


def test_units_that_are_down_say_what_they_said_last() -> None:
    well = "ActiveState=active\nUnitFileState=enabled\nResult=success\n"
    assert found(Units(), units(f"{well}\n{well}"), SPEC) == []
    down = "ActiveState=failed\nUnitFileState=enabled\nResult=exit-code\n"
    journal = "no such host\ncron.service: Main process exited, code=exited\nStopped cron.\n"
    [one] = told(found(Units(), units(f"{down}\n{well}", journal), SPEC))
    assert one == "fault: cron.service is failed (exit-code); it said last: no such host"
    off = well.replace("=enabled", "=disabled")
    assert "will not run after a reboot" in told(found(Units(), units(f"{well}\n{off}"), SPEC))[0]


def test_a_deploy_that_did_not_end_wants_the_agent_and_docker() -> None:
    down = "ActiveState=inactive\nUnitFileState=\nResult=success\n"
    node = FakeNode({}, {"systemctl show": f"{down}\n{down}"})
    said = "".join(told(found(Units(), node, SPEC)))
    assert "docker.service is inactive" in said
    assert "stoker-agent.service is inactive" in said
    assert found(Units(), FakeNode(), None) == []
    assert "no deploy of this host came to its end" in told(found(Deployed(), node, SPEC))[0]
    assert "there is no spec" in told(found(Deployed(), node, None))[0]
    assert found(Deployed(), FakeNode(manifest()), SPEC) == []


def test_swap_governors_and_open_files() -> None:
    files = {
        "/proc/swaps": "Filename Type Size Used Priority\n/dev/sda2 partition 8388608 1048576 -2\n",
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
        "/proc/7/limits": "Max open files            1024                 524288          files\n",
    }
    node = FakeNode(files, {"systemctl show": "7\n", "systemd-detect-virt": Ran(1)})
    said = told(found(Tuning(), node, SPEC))
    assert said[0] == "note: 1.0 of 8.0 GiB of swap are in use"
    assert said[1].startswith("note: processors run with the governor powersave")
    assert said[2] == "warning: docker.service may open 1024 files"
    well = {**files, "/proc/7/limits": "Max open files  unlimited  unlimited  files\n"}
    del well["/proc/swaps"], well["/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"]
    assert found(Tuning(), FakeNode(well, node.commands), SPEC) == []
