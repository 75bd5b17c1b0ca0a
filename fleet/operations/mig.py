"""GPUs that are split as the spec declares (MIG): by the node's own unit, which does it at boot."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation
from typing_extensions import override

from agent.drift.manifest import Unit
from agent.mig.__main__ import AS_DECLARED
from fleet import manifest
from fleet.facts.units import UnitStates
from fleet.operations.units import started

UNIT = "stoker-mig.service"


class MigLayout(FactBase[str]):
    """What the node's own program says of the layout; empty where it cannot be asked yet."""

    @override
    @staticmethod
    def default() -> str:
        return ""

    @override
    def command(self) -> str:
        return "/opt/stoker/venv/bin/python -m agent.mig --check 2>/dev/null || true"

    @override
    def process(self, output: list[str]) -> str:
        return "\n".join(output)


@operation()
def mig_gone() -> Generator[StringCommand]:
    """Let no unit of ours split GPUs at boot; what is split stays so until then."""
    if host.get_fact(UnitStates, names=[UNIT]).get(UNIT, {}).get("LoadState") != "loaded":
        host.noop(f"there is no {UNIT}")
        return
    yield StringCommand(
        f"systemctl disable {UNIT}; rm -f /etc/systemd/system/{UNIT} && systemctl daemon-reload"
    )


@operation()
def mig_current() -> Generator[StringCommand]:
    """Have the unit run at every boot, and now if the layout differs; what is used it refuses."""
    manifest.of(host).units[UNIT] = Unit(enabled=True)
    enabled = host.get_fact(UnitStates, names=[UNIT]).get(UNIT, {}).get("UnitFileState")
    as_declared = host.get_fact(MigLayout) == AS_DECLARED
    if enabled != "enabled":
        yield StringCommand("systemctl enable", UNIT)
    if not as_declared:
        yield started("restart", UNIT)
    if enabled == "enabled" and as_declared:
        host.noop(AS_DECLARED)
