"""Changes under load: three hosts of one model, more than fifty requests at once, none is lost.

Each test counts at the clients and at the engines. They build on each other, in their order.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.braked import brake
from tests.e2e.phases import Phases
from tests.e2e.rolling import CLIENTS, NEXT_MODEL, RollWorld, books, load, roll_world
from tests.e2e.talk import Talk
from tests.e2e.world import INVENTORY, Run, wait_for
from tests.sandbox.balanced import Tally

pytestmark = pytest.mark.timeout(900)
GROUP = f"stoker.{NEXT_MODEL.replace('/', '-')}"  # by then
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
def nothing_lost(world: RollWorld, *hosts: str) -> Iterator[Tally]:
    """Hold that all requests of the block are answered once, by clients' and engines' books.

    `hosts`: those that clients know; all when left out.
    """
    before = world.ledger()
    with load(world, hosts=hosts) as balanced:
        yield balanced.tally
    found = books(world, balanced.tally, before)
    assert {name: found[name] for name in WRONG} == dict.fromkeys(WRONG, 0), (
        found,
        balanced.tally.lost[:5],
    )
    assert found["requests"] > CLIENTS
    assert 0 < found["streams"] < found["requests"]
    assert set(balanced.tally.by_host) == set(hosts or world.hosts)


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
    image, before = world.next_image(), starts(world)
    former = {host: world.current(host) for host in world.hosts}
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
    assert {host: world.current(host) for host in world.hosts} == former
    world.wish(engine_image=None)
    assert deployed(world).changed == []


def test_a_release_that_never_answers_ends_at_the_first_host_which_goes_back(
    world: RollWorld,
) -> None:
    """Also without a registry and a Hub: what the host goes back to it has."""
    first, *others = world.hosts
    former, before = world.current(first), [world.fingerprint(host) for host in others]
    never = {"tokens_per_second": 5.0, "start": "never_ready"}
    with nothing_lost(world), world.depot_down():
        world.wish(
            engine_environment=world.engine_environment(STOKER_SIM_FAULTS=json.dumps(never)),
            engine_startup_deadline=20.0,
            agent_restart_budget=1,
        )
        run = world.deploy(as_json=False)
        assert run.code != 0
        assert f"this host serves by release {former} again" in run.output
        # What is to come was laid there already: two changes that nothing has read yet.
        untouched = ", ".join(f"{host} (2 changes)" for host in others)
        assert f"untouched, serving as before: {untouched}" in run.output, run.output[-3000:]
        assert "no answer within 20 s of its start" in run.output
        assert "  | {" in run.output or "  | 20" in run.output, run.output[-3000:]  # its log
        assert [world.fingerprint(host) for host in others] == before
        assert world.current(first) == former
        wait_for("it serves", lambda: world.phase(first) == "SERVING", 30)
    world.wish(engine_environment=None, engine_startup_deadline=None, agent_restart_budget=None)
    assert deployed(world).changed == [
        f"model | place /etc/stoker/coming/host.json on {host}" for host in others
    ]
    assert deployed(world).changed == []


def test_a_copy_serves_while_an_engine_changes(world: RollWorld) -> None:
    """Clients know one host alone, and not one of their requests is turned away."""
    host, others = world.hosts[0], world.hosts[1:]
    before, prints = starts(world), [world.fingerprint(host) for host in others]
    phases = Phases(world, host)
    with nothing_lost(world, host) as tally:
        world.wish(
            rollout_strategy="blue/green", engine_environment=world.engine_environment(LABEL="bg")
        )
        code, said = world.cli("plan", INVENTORY, "--limit", host)
        assert (code, "blue/green: a copy on free GPUs" in said) == (2, True), said
        with phases:
            code, said = world.cli("deploy", INVENTORY, "--limit", host, "--yes", "--no-plan")
        assert code == 0, said
    assert f"{host}: main: SERVING" in said, said
    assert "(its gate was shut for " in said
    assert tally.elsewhere == {}
    assert starts(world)[host] != before[host]
    # The copy served before the engine was drained, and as long as that did not serve.
    seen = [(main, copy) for main, copy in phases.seen if copy]
    assert ("SERVING", "STARTING") in seen
    assert ("SERVING", "SERVING") in seen
    assert {copy for main, copy in seen if main != "SERVING"} == {"SERVING"}
    wait_for("the copy is gone", lambda: _containers(world, host) == ["stoker-main"], 60)
    assert list(world.status(host)["engines"]) == ["main"]
    assert world.deploy("--limit", host).changed == []
    assert [world.fingerprint(other) for other in others] == prints


def test_what_never_answers_leaves_the_engine_as_it_is(world: RollWorld) -> None:
    """The copy is the first to try it."""
    host = world.hosts[0]
    former, before = world.current(host), starts(world)
    never = {"tokens_per_second": 5.0, "start": "never_ready"}
    with nothing_lost(world, host) as tally:
        world.wish(
            engine_environment=world.engine_environment(STOKER_SIM_FAULTS=json.dumps(never)),
            engine_startup_deadline=20.0,
            agent_restart_budget=1,
        )
        run = world.deploy("--limit", host, as_json=False)
    assert run.code != 0
    assert f"this host serves by release {former} again" in run.output, run.output[-3000:]
    assert tally.elsewhere == {}
    assert starts(world) == before
    assert world.current(host) == former
    wait_for("the copy is gone", lambda: _containers(world, host) == ["stoker-main"], 60)
    world.wish(
        engine_environment=None,
        engine_startup_deadline=None,
        agent_restart_budget=None,
        rollout_strategy=None,
    )
    deployed(world)


def test_a_drain_waits_for_streams_until_its_deadline_and_no_longer(world: RollWorld) -> None:
    host, deadline = world.hosts[0], 10.0
    world.wish(engine_drain_deadline=deadline)
    deployed(world)
    gateway = world.gateway(host)
    short = Talk(gateway.stream("Go on", max_tokens=30))  # 6 s
    long = Talk(gateway.stream("Go on and on", max_tokens=600))  # two minutes
    begun = time.monotonic()
    world.shell(host, "stokerctl restart main --by tester --reason e2e")
    refused = gateway.chat("Too late?")
    assert (refused.status, refused.json()["error"]["code"]) == (503, "engine_not_serving")
    short.ends_whole(30)
    assert world.phase(host) == "DRAINING"
    wait_for("the deadline", lambda: world.phase(host) == "STARTING", deadline)
    assert time.monotonic() - begun >= deadline - 1
    long.is_cut(deadline + 20)  # the engine's own grace is as long once more
    assert world.engine(host)["state"]["reason"] == "Requested"
    wait_for("it serves again", lambda: world.phase(host) == "SERVING", 60)
    world.wish(engine_drain_deadline=None)
    deployed(world)


def test_who_is_turned_away_is_told_when_to_come_again(world: RollWorld) -> None:
    """The time that the last start took, which is known by now, less what has passed."""
    host = world.hosts[-1]
    took = float(world.engine(host)["state"]["took"])
    assert 2.0 <= took < 60.0
    world.shell(host, "stokerctl restart main --by tester --reason e2e")
    told: list[tuple[float, int]] = []
    gateway = world.gateway(host)
    while (answer := gateway.request("GET", "/v1/models")).status == 503:
        told.append((time.monotonic(), int(answer.headers["retry-after"])))
        time.sleep(0.1)
    back = time.monotonic()
    first, last = told[0], told[-1]
    assert took <= first[1] <= 2 * took + 1
    assert last[1] <= first[1]
    assert first[0] + first[1] <= back + 2 * took + 5, (told, back)


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


def test_a_driver_moves_with_a_reboot_and_a_rollback_moves_none(world: RollWorld) -> None:
    boots = _boots(world)
    with nothing_lost(world):
        world.wish(driver_branch="620")
        deployed(world)
        moved = _boots(world)
        assert all(moved[host] != boots[host] for host in world.hosts)
        code, said = world.cli("rollback", INVENTORY, "--reason", "e2e")
        assert code == 0, said
    assert _boots(world) == moved
    for host in world.hosts:
        assert "620.70.06" in world.shell(
            host, "nvidia-smi --query-gpu=driver_version --format=csv"
        )
    deployed(world)


def test_the_fleet_brake(world: RollWorld, tmp_path: Path) -> None:
    """One slot: each host has it once, one after the other; without it none is taken out."""
    with brake(tmp_path, world.fleet.layout.address(1), {GROUP: 1}) as lock:
        world.wish(agent_fleetlock_url=lock.url, rollout_slot_wait=10.0)
        before = starts(world)
        deployed(world)
        assert starts(world) == before  # who only changes the agent needs no slot
        assert lock.seen == [()]

        with nothing_lost(world):
            world.wish(engine_environment=world.engine_environment(LABEL="a"))
            deployed(world)
        one_at_a_time(world, before)
        wait_for("all gave it back", lambda: not lock.holders(GROUP), 30)
        held = [one for one in lock.seen if one]
        assert [[name.partition(".")[0] for name in one] for one in held] == [
            [host] for host in world.hosts
        ]

        before, prints = starts(world), [world.fingerprint(host) for host in world.hosts]
        lock.kill()  # unknown is no
        world.wish(engine_environment=world.engine_environment(LABEL="b"))
        run = world.deploy(as_json=False)
        assert run.code != 0
        assert "no slot" in run.output, run.output[-3000:]
        assert starts(world) == before
        assert [world.fingerprint(host) for host in world.hosts][1:] == prints[1:]
        code, said = world.cli("brake", INVENTORY)
        assert code == 0, said
        assert "nobody holds a slot" in said
        assert f"{world.hosts[0]}: last refusal: {lock.url}" in said, said

        run = world.deploy(extra={"STOKER_BRAKE": "off"})  # by the operator's word
        assert run.code == 0, run.output[-3000:]
        one_at_a_time(world, before)
        lock.start()
        assert lock.holders(GROUP) == []
    world.wish(agent_fleetlock_url=None, engine_environment=None, rollout_slot_wait=None)
    deployed(world)


def _containers(world: RollWorld, host: str) -> list[str]:
    return world.shell(host, "docker ps -a --format '{{.Names}}'").split()


def _boots(world: RollWorld) -> dict[str, str]:
    told = "cat /proc/sys/kernel/random/boot_id /proc/1/stat | cut -d' ' -f1,22"
    return {host: world.shell(host, told) for host in world.hosts}


def _images(world: RollWorld) -> set[str]:
    def named() -> set[str]:
        told = "docker inspect -f '{{.Config.Image}}' stoker-main"
        return {world.shell(host, told) for host in world.hosts}

    return wait_for("all engines run", named, 10)
