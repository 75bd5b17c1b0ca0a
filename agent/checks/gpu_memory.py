"""Is the GPUs' memory sound? Repairs that wait for a reset are noted; failed repairs are faults.

A row that is to be remapped is taken out at the next reset, and work may go on until then; truth
lies in the driver's flags, not in counting log lines. Boards have either row remapping (Ampere and
later) or page retirement, and none of it with ECC off: what is not there is not judged.
"""

from agent.checks import gpu
from agent.checks.base import fail, ok, warn
from agent.checks.trended import Trended, trended
from agent.checks.worst import worst
from agent.model import CheckResult, Remedy
from agent.sources import Sources
from agent.sources.gpu import Gpu
from agent.spec import HostSpec
from agent.trends import KEPT

WINDOW = KEPT  # seconds without a new error after which the last ones are history


class GpuMemory:
    """See the module."""

    name = "gpu_memory"

    async def read(self, sources: Sources) -> Trended:
        """Take this round's poll of the driver, and how its counters have grown."""
        return trended(sources)

    def judge(self, reading: Trended, spec: HostSpec) -> list[CheckResult]:
        """Judge each GPU by itself."""

        def one(seen: Gpu) -> CheckResult:
            grown = reading.grown(seen, "ecc_uncorrected", seen.ecc_uncorrected, WINDOW)
            well = ok(self.name, gpu.subject(seen), "no trouble with the memory is known")
            return worst(self._findings(seen, grown), well)

        return gpu.each(self.name, reading.nvml, spec, one)

    def _findings(self, seen: Gpu, grown: int) -> list[CheckResult]:
        subject, name = gpu.subject(seen), f"GPU {seen.index}"
        found = []
        if seen.remap_failed:
            found.append(
                fail(
                    self.name,
                    subject,
                    "RowRemapFailed",
                    f"{name} has no spare row left for a bad one: it is to be replaced",
                    Remedy.DRAIN,
                    evidence="row remapping failed",
                )
            )
        if grown > 0:
            message = f"{name} has met {grown} uncorrectable errors within {WINDOW / 60:.0f} min"
            evidence = f"{seen.ecc_uncorrected} uncorrectable errors since the driver was loaded"
            found.append(warn(self.name, subject, "EccUncorrected", message, evidence=evidence))
        if seen.sram_threshold:
            message = f"{name} has had too many errors in its SRAM: it is to be replaced"
            evidence = "SRAM error threshold exceeded"
            found.append(warn(self.name, subject, "SramErrors", message, evidence=evidence))
        if seen.remap_pending:
            message = f"{name} takes a bad row out at its next reset; it may work until then"
            evidence = "row remapping pending"
            found.append(warn(self.name, subject, "RowRemapPending", message, evidence=evidence))
        if seen.retired_pending:
            message = f"{name} takes a bad page out at its next reset; it may work until then"
            evidence = "page retirement pending"
            found.append(warn(self.name, subject, "PageRetirement", message, evidence=evidence))
        return found
