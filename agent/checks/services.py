"""Do the services run that engines lean on? An engine that runs outlives them for a while."""

from collections.abc import Iterator

from agent.checks.base import ok, warn
from agent.checks.worst import worst
from agent.model import CheckResult
from agent.sources import Sources
from agent.sources.host import CONTAINERD, DOCKER, FABRIC_MANAGER, PERSISTENCED, HostReading
from agent.spec import HostSpec

# What is lost without each.
LOSS = {
    DOCKER: "no engine can be started",
    CONTAINERD: "no engine can be started",
    PERSISTENCED: "the driver forgets its state whenever no process uses a GPU",
    FABRIC_MANAGER: "GPUs cannot reach each other over NVSwitch",
}
DOWN = frozenset({"failed", "inactive"})  # ActiveState; units on their way up or down are let be


class Services:
    """See the module."""

    name = "services"

    async def read(self, sources: Sources) -> HostReading:
        """Take the host's latest facts."""
        return sources.host.require()

    def judge(self, reading: HostReading, spec: HostSpec) -> list[CheckResult]:
        """Judge all services together."""
        well = ok(self.name, "node", "the services that engines lean on run")
        return [worst(self._findings(reading, _wanted(reading, spec)), well)]

    def _findings(self, reading: HostReading, wanted: list[str]) -> Iterator[CheckResult]:
        for unit in wanted:
            state = reading.units.get(unit)
            # Docker may bring a containerd of its own, so that its unit alone may be absent.
            if state in DOWN or (state == "" and unit != CONTAINERD):
                message = f"{unit} does not run: {LOSS[unit]}"
                evidence = f"{unit} is {state or 'not installed'}"
                yield warn(self.name, "node", "ServiceDown", message, evidence=evidence)


def _wanted(reading: HostReading, spec: HostSpec) -> list[str]:
    wanted = [DOCKER, CONTAINERD] if spec.engines else []
    if spec.driver.gpu_count:
        wanted.append(PERSISTENCED)
    if reading.nvswitches:
        wanted.append(FABRIC_MANAGER)
    return wanted
