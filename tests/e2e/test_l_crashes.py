"""Whatever dies in the middle of a deploy: the next one converges, and traffic was never lied to.

A gateway is asked all the while: each answer is whole, or an honest refusal.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.crashing import Begun, Probe, Strikes, converged
from tests.e2e.rolling import RollWorld, roll_world
from tests.e2e.world import INVENTORY, wait_for

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Point:
    """`strike` happens `after` seconds of operation `at`; `engine`: its settings change too.

    `copy`: while a copy of the engine serves.
    """

    strike: str
    at: str
    after: float = 0.0
    engine: bool = False
    copy: bool = False

    def __str__(self) -> str:
        later = f" + {self.after:g} s" if self.after else ""
        return f"{self.strike}: {self.at}{later}" + (" beside a copy" if self.copy else "")


ENGINE = "engine | run the engines"
POINTS = (
    Point("pyinfra", "base | lay the program"),
    Point("agent", ENGINE, 0.5, engine=True),
    Point("pyinfra", "driver |"),
    Point("ssh", "release | lay"),
    Point("power", "agent | place /etc/stoker/host.json"),
    Point("pyinfra", "runtime |"),
    Point("network", "model | fetch"),
    Point("pyinfra", ENGINE, 0.5, engine=True),
    Point("pyinfra", "release | lay", 0.3),
    Point("agent", "gateway | run nginx"),
    Point("reboot", ENGINE, 0.5, engine=True),
    Point("pyinfra", "model | fetch"),
    Point("ssh", ENGINE, 0.5, engine=True),
    Point("pyinfra", "agent | place /etc/stoker/host.json"),
    Point("power", ENGINE, 2.0, engine=True),
    Point("pyinfra", "gateway | place /etc/stoker/nginx.conf"),
    Point("network", ENGINE, 0.5, engine=True),
    Point("pyinfra", "agent | run the agent"),
    Point("agent", ENGINE, 3.0, engine=True),
    Point("pyinfra", ENGINE, 3.0, engine=True),
    Point("pyinfra", "drift |"),
    Point("pyinfra", "release | make"),
    Point("pyinfra", "engine | let main-copy serve", 1.0, engine=True, copy=True),
    Point("pyinfra", ENGINE, 1.0, engine=True, copy=True),
    Point("power", ENGINE, 1.0, engine=True, copy=True),
    Point("agent", "engine | drain main-copy", engine=True, copy=True),
)


@pytest.fixture(scope="module")
def world() -> Iterator[RollWorld]:
    with roll_world(keep=os.environ.get("STOKER_E2E_KEEP") == "1") as made:
        yield made


@pytest.mark.parametrize(("number", "point"), list(enumerate(POINTS)), ids=map(str, POINTS))
def test_the_next_run_converges(world: RollWorld, number: int, point: Point) -> None:
    host = world.hosts[number % len(world.hosts)]
    wish: dict[str, object] = {"gateway_retry_after": 3 + number}
    wish["rollout_strategy"] = "blue/green" if point.copy else None
    if point.engine:
        wish["engine_environment"] = world.engine_environment(CHANGE=str(number))
    with Probe(world.doors()[host]) as probe:
        world.wish(**wish)
        with Begun(world, host) as run:
            run.reaches(point.at)
            time.sleep(point.after)
            getattr(Strikes(world), point.strike)(run)
            run.ends()
        converged(world, host)
    probe.honest(cut_off=point.strike in {"power", "reboot"})
    if point.copy and point.strike != "power":
        assert probe.seen["elsewhere"] == 0, probe.seen  # there was always somebody to serve
    assert world.engine(host)["digest"] == world.engine(host)["running_digest"]
    assert list(world.status(host)["engines"]) == ["main"]
    assert str(3 + number) in world.shell(host, "grep 'set $stoker_back' /etc/stoker/nginx.conf")


def test_a_check_for_drift_leaves_what_alone_serves_after_an_interrupted_deploy(
    world: RollWorld,
) -> None:
    host = world.hosts[0]
    change = world.engine_environment(CHANGE="half done")
    world.wish(rollout_strategy="blue/green", engine_environment=change)
    with Begun(world, host) as run:
        run.reaches("engine | let main-copy serve")
        wait_for("the copy serves", lambda: world.phase(host, "main-copy") == "SERVING", 60)
        run.process.kill()
        run.ends()
    world.shell(host, "stokerctl drain main --by tester --reason 'it has died'")
    assert world.cli("lock", "steal", INVENTORY, "--reason", "the run was killed")[0] == 0
    for _ in range(2):
        report = json.loads(world.shell(host, "stoker-release drift --json; true"))
        assert report["findings"]
        assert {one["left"] for one in report["findings"]} == {
            "a deploy was interrupted, and main-copy serves for main: deploy again"
        }
        assert world.gateway(host).chat("Are you there?").status == 200
    world.shell(host, "stokerctl undrain main --by tester --reason 'it is well'")
    converged(world, host)
    assert list(world.status(host)["engines"]) == ["main"]


def test_nothing_is_left_to_do(world: RollWorld) -> None:
    world.deploy()
    run = world.deploy()
    assert (run.code, run.changed) == (0, [])
