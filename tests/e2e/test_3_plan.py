"""`stoker plan` on the deployed fleet: it finds nothing to do, finds what was tampered with, and
leaves no trace of itself.
"""

import os
import subprocess
import sys

import msgspec

from fleet.plan.document import Plan
from tests.e2e.world import INVENTORY, REPOSITORY, World

# What a deploy writes to; not what the agent keeps for itself.
PLACES = "/etc /opt /usr /root /var/lib/stoker/models /var/lib/dpkg /var/tmp"


def _plan(world: World) -> tuple[int, Plan]:
    models = world.directory / "depot" / "hub"
    command = [sys.executable, "-m", "fleet.cli", "plan", INVENTORY, "--json"]
    done = subprocess.run(
        [*command, "--models", str(models)],
        cwd=REPOSITORY,
        env={**os.environ, "STOKER_SANDBOX": str(world.directory)},
        capture_output=True,
        check=False,
        timeout=300,
    )
    return done.returncode, msgspec.json.decode(done.stdout, type=Plan)


def _traces(world: World) -> list[str]:
    look = f"find {PLACES} -xdev -printf '%p %C@\\n' | sort | sha256sum"
    return [world.shell(host, look) for host in world.hosts]


def test_a_converged_fleet_leaves_nothing_to_do_and_is_not_touched(world: World) -> None:
    before = _traces(world)
    code, plan = _plan(world)
    assert _traces(world) == before
    assert (code, plan.verdict) == (0, "nothing")
    assert [(host.name, host.stages) for host in plan.hosts] == [(h, ()) for h in world.hosts]
    assert {engine.act for host in plan.hosts for engine in host.engines} == {"nothing"}
    assert {engine.memory.fits for host in plan.hosts for engine in host.engines
            if engine.memory} == {"yes"}  # fmt: skip


def test_what_was_tampered_with_is_in_the_plan_of_that_host_alone(world: World) -> None:
    tampered = world.hosts[0]
    world.shell(tampered, "mv /etc/cron.d/stoker /root/stoker-cron")
    try:
        code, plan = _plan(world)
    finally:
        world.shell(tampered, "mv /root/stoker-cron /etc/cron.d/stoker")
    assert code == 2
    assert {host.name: [stage.stage for stage in host.stages or ()] for host in plan.hosts} == {
        host: ["drift"] if host == tampered else [] for host in world.hosts
    }
