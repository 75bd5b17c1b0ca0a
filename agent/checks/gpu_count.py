"""Are all GPUs there? The operator's count, the bus, the driver and the engines must agree.

A GPU that is missing since boot is invisible to bus and driver alike; only the count that the
operator rented tells (aws/eks-node-monitoring-agent#121). One that goes without a word is missed
under its name by the engine that was started on it (NVIDIA/NVSentinel#684).
"""

from collections.abc import Mapping

from agent.checks.base import fail, ok, unknown
from agent.model import AGENT, CheckResult, EngineState, Goal, Phase, Remedy, Value
from agent.sources import Sources
from agent.spec import HostSpec

VANISHED = "GpuVanished"
VERDICTS = frozenset({15, 16})  # NVML: GPU_IS_LOST, RESET_REQUIRED


class Counts(Value, frozen=True, kw_only=True):
    """GPUs on the bus and in the driver's list (None = not seen), and the names in that list.

    `held`: UUIDs of the GPUs that engines were started with, and whether one was missed before.
    `unclear`: a GPU does not tell its name, and NVML does not say that it is lost.
    """

    on_bus: int | None = None
    listed: int | None = None
    named: frozenset[str] = frozenset()
    held: Mapping[str, bool] = {}
    unclear: bool = False


def missed(engines: Mapping[str, EngineState]) -> dict[str, bool]:
    """Return the GPUs that memory knows engines to hold, and whether they were missed before.

    An engine that is out because its GPU vanished was stopped for it: that cures nothing. One that
    starts may get others.
    """
    found: dict[str, bool] = {}
    for state in engines.values():
        out = (state.phase, state.goal, state.by) == (Phase.DRAINED, Goal.FAULT, AGENT)
        if state.phase in {Phase.SERVING, Phase.DRAINING} or (out and state.reason == VANISHED):
            found |= dict.fromkeys(state.gpus, out)
    return found


class GpuCount:
    """See the module."""

    name = "gpu_count"

    async def read(self, sources: Sources) -> Counts:
        """Take what bus, driver and engines tell of the GPUs."""
        looks = [reading.value for reading in sources.engines.values()]
        runs = [look.started for look in looks if look and look.running and look.started]
        held = {**{uuid: False for run in runs for uuid in run.gpus}, **sources.missed}
        nvml = sources.nvml.value
        if nvml is None or nvml.error is not None:
            return Counts(on_bus=sources.pci.value, held=held)
        nameless = [gpu for gpu in nvml.gpus if not gpu.uuid]
        return Counts(
            on_bus=sources.pci.value,
            listed=len(nvml.gpus),
            named=frozenset(gpu.uuid for gpu in nvml.gpus if gpu.uuid),
            held=held,
            unclear=any(gpu.error not in VERDICTS for gpu in nameless),
        )

    def judge(self, reading: Counts, spec: HostSpec) -> list[CheckResult]:
        """Compare the counts with `driver_gpu_count`, and the names with those of the engines."""
        if spec.driver.gpu_count == 0:
            return [ok(self.name, "node", "no GPU is wanted")]
        gone = self._gone(reading)
        return [self._node(reading, spec.driver.gpu_count), *gone]

    def _node(self, reading: Counts, wanted: int) -> CheckResult:
        if reading.on_bus is not None and reading.on_bus < wanted:
            return self._missing(reading, f"{reading.on_bus} of {wanted} GPUs are on the PCI bus")
        if reading.listed is not None and reading.listed < wanted:
            return self._missing(reading, f"the driver lists {reading.listed} of {wanted} GPUs")
        if reading.on_bus is None or reading.listed is None:
            return unknown(self.name, "node", "the bus or the driver cannot be read")
        return ok(self.name, "node", f"all {wanted} GPUs are there")

    def _missing(self, reading: Counts, message: str) -> CheckResult:
        # By itself it touches no engine: which of them lost its GPU is told under the GPU's name.
        evidence = f"seen: {', '.join(sorted(reading.named)) or 'none'}"
        return fail(self.name, "node", "GpuMissing", message, evidence=evidence)

    def _gone(self, reading: Counts) -> list[CheckResult]:
        """Judge each GPU that an engine holds, where the driver's list can tell."""
        if reading.listed is None:
            return [unknown(self.name, f"gpu:{uuid}", "not listed") for uuid in reading.held]
        return [self._held(uuid, reading, out=out) for uuid, out in sorted(reading.held.items())]

    def _held(self, uuid: str, reading: Counts, *, out: bool) -> CheckResult:
        subject = f"gpu:{uuid}"
        if uuid in reading.named:
            return ok(self.name, subject, "the driver lists the GPU")
        if reading.unclear:
            return unknown(self.name, subject, "a GPU that does not tell its name may be this one")
        return fail(
            self.name,
            subject,
            VANISHED,
            f"an engine was started on {uuid}, which the driver does not list any more",
            Remedy.REBOOT,
            certain=out,  # by now: an agent that was killed meanwhile must not call it healed
            fatal=True,
            evidence=f"the driver lists {reading.listed} GPUs, the bus {reading.on_bus}",
        )
