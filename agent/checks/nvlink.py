"""Are the NVLinks up that were up, and do they carry data without many errors?

A link that is down is a fault only where it has been up, or where an NVSwitch joins all GPUs and
another one of the same kind has more: boards without a bridge, and boards of which only some links
are wired, look just like that (NVIDIA/NVSentinel#1481). With MIG on, links are not used.
"""

from collections.abc import Mapping

from agent.checks import gpu
from agent.checks.base import fail, ok, warn
from agent.checks.trended import Trended, trended
from agent.model import CheckResult, Remedy, Value
from agent.sources import Sources
from agent.sources.gpu import Gpu, NvmlReading
from agent.spec import HostSpec

WINDOW = 60.0  # seconds
ALLOWED = 100.0  # errors a second: below, links correct themselves without loss (DCGM's limit)


class Links(Value, frozen=True, kw_only=True):
    """`most`: UUID → the most links that were up at once since the agent began to look."""

    now: Trended
    most: Mapping[str, int]


class Nvlink:
    """See the module. `read` keeps in mind how many links each GPU has had."""

    name = "nvlink"

    def __init__(self) -> None:
        self._most: Mapping[str, int] = {}

    async def read(self, sources: Sources) -> Links:
        """Take this round's poll of the driver, beside the best that was seen."""
        now = trended(sources)
        self._most = remember(self._most, now.nvml)
        return Links(now=now, most=self._most)

    def judge(self, reading: Links, spec: HostSpec) -> list[CheckResult]:
        """Judge each GPU by itself."""
        wanted = _wanted(reading)

        def one(seen: Gpu) -> CheckResult:
            subject, up = gpu.subject(seen, "fabric"), _up(seen)
            if seen.mig or not seen.links:
                return ok(self.name, subject, "no NVLink is in use")
            if up < wanted.get(seen.uuid, 0):
                message = f"GPU {seen.index} has lost {wanted[seen.uuid] - up} of its NVLinks"
                down = ", ".join(str(link.number) for link in seen.links if not link.active)
                evidence = f"{up} of {wanted[seen.uuid]} links are up; down: {down}"
                return fail(
                    self.name, subject, "NvlinkDown", message, Remedy.DRAIN, evidence=evidence
                )
            errors = sum(link.errors or 0 for link in seen.links)
            grown = reading.now.grown(seen, "link_errors", errors, WINDOW)
            if grown > ALLOWED * WINDOW:
                message = f"the NVLinks of GPU {seen.index} make many errors"
                evidence = f"{grown / WINDOW:.0f} errors a second, {ALLOWED:.0f} are allowed"
                return warn(self.name, subject, "NvlinkErrors", message, evidence=evidence)
            return ok(self.name, subject, "all NVLinks that were up are up")

        return gpu.each(self.name, reading.now.nvml, spec, one, "fabric")


def remember(most: Mapping[str, int], reading: NvmlReading) -> Mapping[str, int]:
    """Return the most links that each GPU has had up, this reading included."""
    now = {one.uuid: max(_up(one), most.get(one.uuid, 0)) for one in reading.gpus if one.uuid}
    return {**most, **now}


def _wanted(reading: Links) -> dict[str, int]:
    """Return UUID → links that should be up."""
    wanted = dict(reading.most)
    switched = [one for one in reading.now.nvml.gpus if one.fabric_state and not one.mig]
    for one in switched:
        peers = [_up(other) for other in switched if other.name == one.name]
        wanted[one.uuid] = max(wanted.get(one.uuid, 0), *peers)
    return wanted


def _up(one: Gpu) -> int:
    return sum(link.active for link in one.links)
