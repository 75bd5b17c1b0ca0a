"""Fixtures of the end-to-end tests. The fleet is made bare once, refused, then deployed once."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.e2e.world import Run, World, wait_for
from tests.sandbox.fleet import Fleet

# Every command line and environment of every process, 20 times a second, while the deploy runs.
SEEN = "/root/seen-during-deploy"
WATCH_ARGV = (
    "while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null"
    f' | tr "\\0" "\\n" | sort -u - {SEEN} -o {SEEN} 2>/dev/null || touch {SEEN};'
    " sleep 0.05; done"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests here; their files run in the order of their numbers."""
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def bare() -> Iterator[World]:
    """The fleet `test`, with hosts that nothing was deployed to. Removed at the end."""
    fleet = Fleet("test")
    fleet.down(purge=True)
    fleet.up()
    yield World(fleet)
    fleet.down(purge=True)


@pytest.fixture(scope="session")
def first(bare: World) -> tuple[World, Run]:
    """The fleet after its first deploy, with the run that did it; command lines were watched."""
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
