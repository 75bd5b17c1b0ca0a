"""The driver: installed, kept still, moved host by host; and what is said when it can not be.

Two hosts of their own, Debian 13 with an NVSwitch and Debian 12, that serve the same model. Each
test leaves the fleet for the next one as it says.
"""

import os
from collections.abc import Iterator

import pytest

from tests.e2e.drivers import DriverNode, DriverWorld, Watch, driver_world, refused
from tests.e2e.world import wait_for
from tests.sandbox.packages.nvidia import LATER, VERSIONS

pytestmark = pytest.mark.timeout(900)
FIRST, LONG_TERM = "595.91.07", "620.70.06"
POINT = LATER.partition("-")[0]
PREFERENCES = "ls /etc/apt/preferences.d"
# Debian lets it take security updates alone; here it may take everything.
UNATTENDED = """
apt-get -q update && apt-get install -qy unattended-upgrades
echo 'Unattended-Upgrade::Origins-Pattern { "origin=*"; };' >/etc/apt/apt.conf.d/99all
unattended-upgrade -d 2>&1
"""


@pytest.fixture(scope="module")
def world() -> Iterator[DriverWorld]:
    with driver_world(keep=os.environ.get("STOKER_E2E_KEEP") == "1") as made:
        yield made


@pytest.fixture
def new(world: DriverWorld) -> DriverNode:
    """Debian 13, with an NVSwitch."""
    return world.nodes[0]


@pytest.fixture
def old(world: DriverWorld) -> DriverNode:
    """Debian 12."""
    return world.nodes[1]


def test_a_fresh_host_gets_the_branch_pinned_held_and_persistent_without_a_reboot(
    world: DriverWorld,
) -> None:
    boots = [node.boot() for node in world.nodes]
    run = world.deploy()
    assert run.code == 0, run.output[-3000:]
    assert [node.boot() for node in world.nodes] == boots
    for node in world.nodes:
        assert node.loaded() == FIRST
        assert node.smi("driver_version,persistence_mode") == f"{FIRST}, Enabled"
        assert _pins(node) == ["nvidia-driver-pinning-595"]
        assert all(line.split()[1] == "hi" for line in _there(node)), node.packages()
        assert node.phase() == "SERVING"
    assert _fabric(world.nodes[0]) == (FIRST, "active")
    world.empty_run()


def test_unattended_upgrades_move_nothing_even_without_the_holds(
    world: DriverWorld, new: DriverNode
) -> None:
    world.publish(*VERSIONS, LATER)
    before = new.packages()
    said = world.shell(new.host, UNATTENDED, deadline=300)
    assert new.packages() == before
    new.shell("apt-mark unhold $(apt-mark showhold)")
    assert POINT in new.shell("apt-cache policy libnvidia-ml1 | grep Candidate")
    free = new.packages()
    said = world.shell(new.host, "unattended-upgrade -d 2>&1", deadline=300)
    assert new.packages() == free
    assert "nvidia-driver-cuda" in said  # it was considered, and is on the list of those to be left
    assert new.smi("driver_version") == FIRST
    new.shell("rm /etc/apt/apt.conf.d/99all; apt-get purge -qy unattended-upgrades")


def test_a_wrong_pin_a_lost_hold_and_another_fabric_manager_are_put_right_in_service(
    world: DriverWorld, new: DriverNode, old: DriverNode
) -> None:
    """One pinning package too many, one that was removed and still pins."""
    runs = [node.run() for node in world.nodes]
    old.shell("apt-get -q update && apt-get install -qy nvidia-driver-pinning-620")
    new.shell("apt-get install -qy nvidia-driver-pinning-620")
    new.shell("apt-get remove -qy nvidia-driver-pinning-620")
    assert "nvidia-driver-pinning-620" in new.shell(PREFERENCES)
    for node in world.nodes:
        assert LONG_TERM in node.shell("apt-cache policy nvidia-driver-cuda | grep Candidate")
    new.shell("sed -i s/595.91.07/580.178.04/ /usr/bin/nv-fabricmanager")
    new.shell("systemctl restart nvidia-fabricmanager")
    wait_for("it aborts", lambda: _fabric(new) == ("580.178.04", "failed"), 10)

    run = world.deploy()
    assert run.code == 0, run.output[-3000:]
    for node in world.nodes:
        assert _pins(node) == ["nvidia-driver-pinning-595"]
        assert node.shell(PREFERENCES).split() == ["nvidia-driver-pinning-595"]
        assert f"Candidate: {POINT}" in node.shell("apt-cache policy nvidia-driver-cuda")
        assert node.loaded() == FIRST
    assert _fabric(new) == (FIRST, "active")
    assert all(line.split()[1] == "hi" for line in _there(new)), new.packages()
    assert [node.run() for node in world.nodes] == runs
    world.empty_run()


def test_a_half_upgraded_driver_is_told_and_put_right_by_a_reboot_if_that_is_allowed(
    world: DriverWorld, new: DriverNode, old: DriverNode
) -> None:
    """The library is newer than the module: what runs goes on, what starts next would fail."""
    world.publish(*VERSIONS, LATER)
    boots = [node.boot() for node in world.nodes]
    new.shell(
        f"cd /tmp && apt-get -q update && apt-get download -q libnvidia-ml1={LATER} && "
        "dpkg --force-depends -i libnvidia-ml1_*.deb"
    )
    assert "version mismatch" in new.smi("driver_version")
    half = new.packages()
    world.wish(driver_reboot=False)
    run = world.deploy()
    refused(
        run,
        f"the driver is half upgraded: libcuda1 {FIRST}, libnvidia-ml1 {POINT}: that takes a "
        "reboot, and driver_reboot is False; set it to True",
        "no driver was moved",
    )
    assert (new.packages(), new.boot(), new.phase()) == (half, boots[0], "SERVING")

    new.shell("stokerctl drain main --by alice --reason 'her own' --wait 60")
    world.wish()
    run = world.deploy()
    assert run.code == 0, run.output[-3000:]
    assert new.smi("driver_version,persistence_mode") == f"{POINT}, Enabled"
    assert (new.loaded(), _fabric(new)) == (POINT, (POINT, "active"))
    assert (new.boot() != boots[0], old.boot() == boots[1]) == (True, True)
    assert new.state()["by"] == "alice"  # who drained it before
    world.empty_run()
    new.shell("stokerctl undrain main --by alice --reason done --wait 120")


def test_a_branch_moves_host_by_host_drained_and_comes_back_to_serving(
    world: DriverWorld, new: DriverNode, old: DriverNode
) -> None:
    boots = [node.boot() for node in world.nodes]
    world.wish(driver_branch="620")
    _plan_says_what_moves(world)
    with Watch(world.nodes) as watch:
        run = world.deploy()
    assert run.code == 0, run.output[-3000:]
    assert (watch.least, watch.away) == (1, {"gpu-1", "old-1"})
    for node, boot in zip(world.nodes, boots, strict=True):
        assert node.boot() != boot
        assert node.smi("driver_version,persistence_mode") == f"{LONG_TERM}, Enabled"
        assert node.loaded() == LONG_TERM
        assert _pins(node) == ["nvidia-driver-pinning-620"]
        assert node.chat().status == 200
    assert _fabric(new) == (LONG_TERM, "active")
    assert "branch 620 is wanted" in old.shell("grep drain /var/lib/stoker/audit.jsonl")
    world.empty_run()
    assert world.plan()["gpu-1"].driver_move is None


def test_a_key_that_was_rotated_is_trusted_only_by_its_fingerprint(
    world: DriverWorld, new: DriverNode, old: DriverNode
) -> None:
    known = world.fleet.depot.description.read()["apt_key_fingerprint"]
    fresh = world.publish(*VERSIONS, LATER, key="rotated-key")
    boots, runs = [node.boot() for node in world.nodes], [node.run() for node in world.nodes]
    world.wish(driver_version=POINT, driver_branch="595")
    run = world.deploy()
    refused(
        run,
        f"the key {_key(world)} has the fingerprint {fresh}, expected {known}; it is not trusted",
        "untouched, serving as before: old-1",
    )
    assert [node.loaded() for node in world.nodes] == [LONG_TERM, LONG_TERM]
    assert [node.run() for node in world.nodes] == runs

    world.wish(driver_branch="620", driver_repository_key_fingerprints=[known, fresh])
    run = world.deploy()
    assert run.code == 0, run.output[-3000:]
    for node in world.nodes:
        assert node.shell(
            "apt-get -q update -o APT::Update::Error-Mode=any && echo trusted"
        ).endswith("trusted")
    assert [node.boot() for node in world.nodes] == boots
    world.empty_run()


def test_without_the_repository_an_installed_host_is_well_and_a_bare_one_gets_one_sentence(
    world: DriverWorld, old: DriverNode
) -> None:
    with world.repository_down():
        world.empty_run()
        world.fleet.reset_host(old.host)
        run = world.deploy("--limit", old.host)
        sentence = f"cannot fetch the key {_key(world)}"
        refused(run, sentence)
        assert run.output.count(sentence) == 2  # as it happens, and in the summary
        assert "nvidia" not in old.shell("ls /etc/apt/sources.list.d")
    # All repositories of the depot have their key in one file, and the others never changed theirs.
    world.publish()
    world.wish(driver_branch="620")
    run = world.deploy("--limit", old.host)
    assert run.code == 0, run.output[-3000:]
    assert old.smi("driver_version") == LONG_TERM


def _plan_says_what_moves(world: DriverWorld) -> None:
    before = {"gpu-1": LATER, "old-1": VERSIONS[0]}
    for name, host in world.plan().items():
        assert host.driver_move
        assert host.driver_move.reboot
        assert "branch 620 is wanted" in host.driver_move.why
        moves = {one.package: (one.before, one.after) for one in host.driver_move.packages}
        assert moves["libnvidia-ml1"] == (before[name], f"{LONG_TERM}-1")
        assert moves["nvidia-kernel-open-dkms"] == (before[name], f"{LONG_TERM}-1")
        assert ("nvidia-fabricmanager" in moves) is (name == "gpu-1")
    assert {node.loaded() for node in world.nodes} == {FIRST, POINT}


def _there(node: DriverNode) -> list[str]:
    return [line for line in node.packages().splitlines() if line.split()[1][1] == "i"]


def _pins(node: DriverNode) -> list[str]:
    return [line.split()[0] for line in _there(node) if "pinning" in line]


def _fabric(node: DriverNode) -> tuple[str, str]:
    said = node.shell("nv-fabricmanager --version").split()[-1]
    return said, node.shell("systemctl is-active nvidia-fabricmanager", check=False)


def _key(world: DriverWorld) -> str:
    return str(world.fleet.depot.description.read()["apt"]) + "/key.asc"
