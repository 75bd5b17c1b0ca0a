"""The fleet of the tests of faults: impatient, so that they are quick; one host may reset GPUs."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.world import World

HOOK_PORT = 9799
COMPANIONS = 2  # seconds
DRAIN = 15  # seconds
HANG_AFTER = 4  # seconds; an engine that has nothing to do is asked after 10 s in any case

IMPATIENT = {
    "agent_companion_window": COMPANIONS,
    "agent_backoff": 1,
    "engine_drain_deadline": DRAIN,
    "engine_hang_after": HANG_AFTER,
}


def hook_secret(world: World) -> Path:
    """Return the file with the webhook's secret, made when there is none."""
    path = world.directory / "webhook-secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(24) + "\n")
    return path


def deploy(world: World) -> None:
    """Deploy the settings; the armed host by itself, because `--data` is for all of a run."""
    armed = world.hosts[1]
    told = {
        "agent_arm_reset": True,
        "agent_webhook_url": f"http://{_outside(world)}:{HOOK_PORT}/hook",
        "agent_webhook_secret_file": hook_secret(world),
    }
    others = [host for host in world.hosts if host != armed]
    _deploy(world, [armed], IMPATIENT | told)
    _deploy(world, others, IMPATIENT)


def _deploy(world: World, hosts: list[str], data: Mapping[str, object]) -> None:
    limits = [part for host in hosts for part in ("--limit", host)]
    settings = [part for key, value in data.items() for part in ("--data", f"{key}={value}")]
    run = world.deploy(*limits, *settings)
    assert run.code == 0, run.output


def _outside(world: World) -> str:
    """Return the address under which a host of the fleet reaches this machine."""
    return str(world.fleet.layout.subnet.network_address + 1)
