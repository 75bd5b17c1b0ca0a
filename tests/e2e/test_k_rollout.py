"""Changes under load: three hosts of one model, more than fifty requests at once, none is lost.

Each test counts at the clients and at the engines. They build on each other, in their order.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.rolling import CLIENTS, NEXT_MODEL, RollWorld, books, load, roll_world
from tests.e2e.world import INVENTORY, Run, wait_for
from tests.sandbox.balanced import Tally

pytestmark = pytest.mark.timeout(900)
WRONG = (
    "lost",
    "unknown_to_engines",
    "duplicated",
    "dropped_by_engines",
    "sent_though_turned_away",
)


@pytest.fixture(scope="module")
def world() -> Iterator[RollWorld]:
    with roll_world(keep=os.environ.get("STOKER_E2E_KEEP") == "1") as made:
        yield made


@contextmanager
def nothing_lost(world: RollWorld) -> Iterator[Tally]:
    """Hold that all requests of the block are answered once, by clients' and engines' books."""
    before = world.ledger()
    with load(world) as balanced:
        yield balanced.tally
    found = books(world, balanced.tally, before)
    assert {name: found[name] for name in WRONG} == dict.fromkeys(WRONG, 0), (
        found,
        balanced.tally.lost[:5],
    )
    assert found["requests"] > CLIENTS
    assert 0 < found["streams"] < found["requests"]
    assert set(balanced.tally.by_host) == {door.name for door in world.doors().values()}


def deployed(world: RollWorld) -> Run:
    run = world.deploy()
    assert run.code == 0, run.output[-3000:]
    return run


def starts(world: RollWorld) -> dict[str, object]:
    return {host: world.engine(host)["running_since"] for host in world.hosts}


def one_at_a_time(world: RollWorld, before: dict[str, object]) -> None:
    """Hold that all engines were started again, in the inventory's order."""
    after = starts(world)
    assert all(after[host] != before[host] for host in world.hosts)
    assert sorted(after, key=lambda host: str(after[host])) == world.hosts


def test_a_rolling_engine_upgrade_and_the_way_back_without_a_registry(world: RollWorld) -> None:
    image, former, before = world.next_image(), world.current(world.hosts[0]), starts(world)
    with nothing_lost(world):
        world.wish(engine_image=image)
        deployed(world)
        one_at_a_time(world, before)
        assert _images(world) == {image}

        upgraded = starts(world)
        with world.depot_down():
            code, said = world.cli("rollback", INVENTORY, "--reason", "e2e")
        assert code == 0, said
        one_at_a_time(world, upgraded)
    assert _images(world) == {world.fleet.depot.description.read()["images"]["tgi"]}
    assert {world.current(host) for host in world.hosts} == {former}
    world.wish(engine_image=None)
    assert deployed(world).changed == []


def test_another_model(world: RollWorld) -> None:
    commit, before = world.next_model(), starts(world)
    with nothing_lost(world):
        world.wish(engine_model=NEXT_MODEL, engine_revision=commit)
        deployed(world)
    one_at_a_time(world, before)
    assert {world.engine(host)["model"] for host in world.hosts} == {NEXT_MODEL}


def test_keys_are_rotated_by_a_reload(world: RollWorld) -> None:
    old, before = world.key, starts(world)
    with nothing_lost(world):
        runs = list(world.rotate_keys(lambda: deployed(world)))
    assert starts(world) == before
    for run in runs:
        assert {name.partition(" | ")[0] for name in run.changed} <= {"gateway", "release", "drift"}
        assert any("gateway-keys" in name for name in run.changed)
    for host in world.hosts:
        gateway = world.gateway(host)
        gateway.key = world.key
        assert gateway.request("GET", "/v1/models").status == 200
        assert gateway.request("GET", "/v1/models", key=old).status == 401


def test_a_driver_moves_with_a_reboot(world: RollWorld) -> None:
    boots = [_boot(world, host) for host in world.hosts]
    with nothing_lost(world):
        world.wish(driver_branch="620")
        deployed(world)
    for host, boot in zip(world.hosts, boots, strict=True):
        assert _boot(world, host) != boot
        assert "620.70.06" in world.shell(
            host, "nvidia-smi --query-gpu=driver_version --format=csv"
        )


def _boot(world: RollWorld, host: str) -> str:
    return world.shell(host, "cat /proc/sys/kernel/random/boot_id /proc/1/stat | cut -d' ' -f1,22")


def _images(world: RollWorld) -> set[str]:
    def named() -> set[str]:
        told = "docker inspect -f '{{.Config.Image}}' stoker-main"
        return {world.shell(host, told) for host in world.hosts}

    return wait_for("all engines run", named, 10)
