"""Where an NVSwitch joins the GPUs: is Fabric Manager of the driver's version, and done?"""

import re
from collections.abc import Iterator

import msgspec

from agent.doctor.examinations.gpu_count import DEVICES
from agent.doctor.examinations.gpus import named, wanted
from agent.doctor.finding import Finding, fault
from agent.doctor.seen import Seen
from agent.sources.gpu import Gpu
from agent.sources.host_files import SWITCH_CLASS
from agent.sources.pci import NVIDIA
from agent.spec import HostSpec

COMPLETED = 3  # nvml.h, NVML_GPU_FABRIC_STATE_COMPLETED
VERSION = re.compile(r"\d{3}\.\d+(\.\d+)?")


class FabricReading(msgspec.Struct, frozen=True, kw_only=True):
    """NVSwitches on the bus; versions of driver and Fabric Manager ("" = not told)."""

    switches: int = 0
    driver: str = ""
    manager: str = ""
    gpus: tuple[Gpu, ...] = ()


class Fabric:
    """See the module."""

    name = "fabric"

    def read(self, seen: Seen, spec: HostSpec | None) -> FabricReading:
        """Ask Fabric Manager itself: packages of it may be empty and bring another branch."""
        switches = _switches(seen) if wanted(spec) else 0
        if not wanted(spec):
            return FabricReading()
        told = seen.gpus().reading
        if not switches and not any(one.fabric_state for one in told.gpus):
            return FabricReading()
        ran = seen.node.run("nv-fabricmanager", "--version")
        found = VERSION.search(ran.out) if ran else None
        return FabricReading(
            switches=switches,
            driver=told.driver,
            manager=found[0] if found else "",
            gpus=told.gpus,
        )

    def judge(
        self, reading: FabricReading, _spec: HostSpec | None, _now: float
    ) -> Iterator[Finding]:
        """Without its fabric CUDA fails with error 802."""
        if reading.switches and not reading.manager:
            yield fault(
                f"there are {reading.switches} NVSwitches, but no Fabric Manager",
                "deploy this host again: it installs the one of the driver's version",
            )
        elif reading.manager and reading.driver and reading.manager != reading.driver:
            yield fault(
                f"Fabric Manager is {reading.manager}, the driver {reading.driver}: it cannot run",
                "deploy this host again: it installs the one of the driver's version",
            )
        waiting = [one for one in reading.gpus if one.fabric_state not in {None, 0, COMPLETED}]
        if waiting:
            yield fault(
                f"{named(waiting)} has not joined the NVSwitch fabric",
                "systemctl status nvidia-fabricmanager; journalctl -u nvidia-fabricmanager -n 50",
            )


def _switches(seen: Seen) -> int:
    found = 0
    for device in seen.node.paths(DEVICES):
        vendor, kind = (seen.node.text(f"{device}/{file}") or "" for file in ("vendor", "class"))
        found += vendor.strip() == NVIDIA and kind.startswith(SWITCH_CLASS)
    return found
