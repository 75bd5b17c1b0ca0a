"""`stoker scale` and the shares of the nodes, against the real fleet; with a host that is off."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import INVENTORY, REPOSITORY, World, wait_for

pytestmark = pytest.mark.timeout(600)


def scale(world: World, *words: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code, and the only model there is."""
    done = subprocess.run(
        [sys.executable, "-m", "fleet.cli", "scale", INVENTORY, "--json", *words],
        cwd=REPOSITORY,
        env={**os.environ, "STOKER_SANDBOX": str(world.directory)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr
    models = json.loads(done.stdout)["models"]
    assert len(models) == 1
    return done.returncode, next(iter(models.values()))


def test_an_idle_fleet_tells_its_share_and_loses_nothing_at_first_sight(world: World) -> None:
    for host in world.hosts:
        assert world.engine(host)["replicas_wanted"] == 0.0
        text = world.shell(host, "curl -fsS http://127.0.0.1:9750/metrics")
        assert 'stoker_engine_replicas_wanted{engine="main"} 0.0' in text
    code, found = scale(world)
    assert code == 0
    assert found["current"] == found["desired"] == len(world.hosts)
    assert {one["standing"] for one in found["replicas"]} == {"ready"}


def test_a_host_that_says_nothing_takes_no_replica_away(world: World, tmp_path: Path) -> None:
    host = world.hosts[0]
    log = tmp_path / "log"
    world.shell(host, "systemctl stop stoker-agent")
    try:
        code, found = scale(world, "--run", f"touch {log}")
        assert code == 3
        assert found["unknown"] == 1
        assert found["desired"] == found["current"] == len(world.hosts)
        assert not log.exists()
    finally:
        world.shell(host, "systemctl start stoker-agent")
        wait_for("it serves", lambda: world.phase(host) == "SERVING", 60)
