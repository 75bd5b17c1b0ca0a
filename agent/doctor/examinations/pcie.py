"""Has each GPU its full PCIe link? The generation drops when idle, so it counts under load."""

from collections.abc import Iterator

from agent.doctor.examinations.gpus import OfGpus
from agent.doctor.finding import Finding, warning
from agent.doctor.seen import Gpus
from agent.spec import HostSpec


class Pcie(OfGpus):
    """See the module."""

    name = "pcie"

    def judge(self, reading: Gpus, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Compare width and, under load, generation with the most that board and slot allow."""
        for one in reading.reading.gpus:
            width, most = one.pcie_width, one.pcie_width_max
            if width and most and width < most:
                yield warning(
                    f"GPU {one.index} has {width} of {most} PCIe lanes",
                    "reseat it, look at its riser and at the slot's setting in the BIOS",
                )
            now_at, best = one.pcie_gen, one.pcie_gen_max
            if now_at and best and now_at < best and one.utilisation:
                yield warning(
                    f"GPU {one.index} works at PCIe generation {now_at} instead of {best}, "
                    f"at {one.utilisation} % load",
                    "look at its riser, and at the slot's speed and ASPM settings in the BIOS",
                )
