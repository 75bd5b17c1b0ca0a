"""Fixtures of the end-to-end tests. The fleet is made bare once, refused, then deployed once.

STOKER_E2E_KEEP=1 takes the fleet as it is, deployed and tuned before, and leaves it there: for work
on single tests of what a deployed host does (test_5 and later).
STOKER_E2E_FLEET names another fleet than `test`.
"""

import os
from collections.abc import Iterator
from functools import partial

import pytest

from tests.e2e import tuned
from tests.e2e.faults import Node
from tests.e2e.hook import Hook
from tests.e2e.world import Run, World, wait_for
from tests.sandbox.fleet import Fleet

FLEET = os.environ.get("STOKER_E2E_FLEET", "test")
KEEP = os.environ.get("STOKER_E2E_KEEP") == "1"
# Every command line and environment of every process, 20 times a second, while the deploy runs.
SEEN = "/root/seen-during-deploy"
WATCH_ARGV = (
    "while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null"
    f' | tr "\\0" "\\n" | sort -u - {SEEN} -o {SEEN}.new 2>/dev/null && mv {SEEN}.new {SEEN}'
    f" || touch {SEEN};"
    " sleep 0.05; done"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests here; their files run in the order of their numbers.

    The time of a test is its fixtures' too, and images are built where there are none.
    """
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(1500))


@pytest.fixture(scope="session")
def bare() -> Iterator[World]:
    """The fleet, with hosts that nothing was deployed to. Removed at the end."""
    fleet = Fleet(FLEET)
    if not KEEP:
        fleet.down(purge=True)
        fleet.up()
    yield World(fleet)
    if not KEEP:
        fleet.down(purge=True)


@pytest.fixture(scope="session")
def first(bare: World) -> tuple[World, Run]:
    """The fleet after its first deploy, with the run that did it; command lines were watched."""
    if KEEP:
        return bare, Run(0, "kept", {})
    for host in bare.hosts:
        bare.shell(host, f"systemd-run -q --unit=watch-argv sh -c '{WATCH_ARGV}'")
    run = bare.deploy()
    for host in bare.hosts:
        bare.shell(host, "systemctl stop watch-argv")
    return bare, run


@pytest.fixture
def world(first: tuple[World, Run]) -> World:
    """The deployed fleet, every engine serving."""
    deployed = first[0]
    for host in deployed.hosts:
        wait_for(f"{host} serves", partial(_serves, deployed, host), 60)
    return deployed


def _serves(world: World, host: str) -> bool:
    return world.phase(host) == "SERVING"


@pytest.fixture(scope="session")
def hook(bare: World) -> Iterator[Hook]:
    """A receiver of webhooks on this machine, which the second host tells its events to."""
    with Hook(tuned.HOOK_PORT, tuned.hook_secret(bare)) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def fleet(first: tuple[World, Run], hook: Hook) -> World:
    """The deployed fleet, made impatient; the second host may reset its GPUs."""
    if not KEEP:
        tuned.deploy(first[0])
    return first[0]


@pytest.fixture
def nodes(fleet: World) -> Iterator[dict[str, Node]]:
    """All hosts, serving and without a past. Whom a test makes ill it makes well again."""
    found = {host: Node(fleet, host) for host in fleet.hosts}
    yield from _well(found)


@pytest.fixture
def node(fleet: World) -> Iterator[Node]:
    """The first host, with two GPUs that may not be reset; nothing befalls the others."""
    yield from _alone(fleet, fleet.hosts[0])


@pytest.fixture
def armed(fleet: World) -> Iterator[Node]:
    """The second host, with two GPUs that may be reset; nothing befalls the others."""
    yield from _alone(fleet, fleet.hosts[1])


@pytest.fixture
def plain(fleet: World) -> Iterator[Node]:
    """The last host, without a GPU; nothing befalls the others."""
    yield from _alone(fleet, fleet.hosts[-1])


def _alone(fleet: World, host: str) -> Iterator[Node]:
    others = [Node(fleet, other) for other in fleet.hosts if other != host]
    before = [other.run() for other in others]
    for one in _well({host: Node(fleet, host)}):
        yield one[host]
    assert [other.run() for other in others] == before


def _well(found: dict[str, Node]) -> Iterator[dict[str, Node]]:
    for one in found.values():
        one.forget()
    for one in found.values():
        one.serves()
    try:
        yield found
    finally:
        for one in found.values():
            one.heal()
