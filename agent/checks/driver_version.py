"""Will the next process find a library that fits the loaded driver?

An upgrade replaces files under a running kernel module. What runs goes on; whatever starts next
gets NVML error 18 (LIB_RM_VERSION_MISMATCH). The versions of the files foretell it.
"""

from agent.checks.base import ok, warn
from agent.model import CheckResult
from agent.sources import Sources
from agent.sources.host import HostReading
from agent.spec import HostSpec


class DriverVersion:
    """See the module."""

    name = "driver_version"

    async def read(self, sources: Sources) -> HostReading:
        """Take the host's latest facts."""
        return sources.host.require()

    def judge(self, reading: HostReading, spec: HostSpec) -> list[CheckResult]:
        """Compare the loaded module with the library's file."""
        loaded, library = reading.driver_loaded, reading.driver_library
        if spec.driver.gpu_count == 0 or loaded is None or library is None or loaded == library:
            return [ok(self.name, "node", "library and loaded driver fit, as far as they tell")]
        message = (
            f"driver {loaded} is loaded, but the library is {library}: an engine that is started "
            "now fails, until the host is rebooted; those that run go on"
        )
        evidence = f"/sys/module/nvidia/version {loaded}, libnvidia-ml.so.{library}"
        return [warn(self.name, "node", "DriverMismatchAhead", message, evidence=evidence)]
