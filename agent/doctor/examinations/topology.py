"""How the GPUs hang on this machine: NUMA nodes, links, IOMMU and ACS. Reported, never changed."""

import re
from collections.abc import Iterator

import msgspec

from agent.doctor.examinations.gpus import OfGpus, wanted
from agent.doctor.finding import Finding, note
from agent.doctor.seen import Gpus, Seen
from agent.spec import HostSpec

GROUPS = "/sys/kernel/iommu_groups/*"
PASSED = re.compile(r"\biommu=pt\b|\biommu\.passthrough=1\b")
ACS = re.compile(r"ACSCtl:.*\b(SrcValid|ReqRedir|CmpltRedir)\+")


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an IOMMU translates between GPUs; bridges that send their traffic up (ACS)."""

    gpus: int = 0
    translated: bool = False
    acs: int = 0


class PeerToPeer:
    """Can GPUs reach each other directly?"""

    name = "peer_to_peer"

    def read(self, seen: Seen, spec: HostSpec | None) -> Isolation:
        """Look at the IOMMU's groups, at the kernel's command line, and at bridges by lspci."""
        count = len(seen.gpus().reading.gpus) if wanted(spec) else 0
        if count < 2:
            return Isolation(gpus=count)
        line = seen.node.text("/proc/cmdline") or ""
        shown = seen.node.run("lspci", "-vvv", "-d", "::0604")
        return Isolation(
            gpus=count,
            translated=bool(seen.node.paths(GROUPS)) and not PASSED.search(line),
            acs=len(ACS.findall(shown.out)) if shown else 0,
        )

    def judge(self, reading: Isolation, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Advice alone: switching either off takes isolation between devices away."""
        if reading.gpus < 2:
            return
        if reading.translated:
            yield note(
                "the IOMMU translates between GPUs: their traffic over PCIe is slow, or hangs",
                "kernel parameter iommu=pt; without NVLink, test with NCCL_P2P_DISABLE=1 first",
            )
        if reading.acs:
            yield note(
                f"ACS is on for {reading.acs} PCIe bridges: GPUs reach each other by the root",
                "switch ACS off in the BIOS, unless devices must be kept apart (NCCL advises so)",
            )


class Topology(OfGpus):
    """Where does each GPU hang?"""

    name = "topology"

    def read(self, seen: Seen, spec: HostSpec | None) -> Gpus:
        """Take the poll, with the NUMA node of each GPU beside its name."""
        found = super().read(seen, spec)
        named = []
        for one in found.reading.gpus:
            place = one.pci.lower().removeprefix("0000") if len(one.pci) > 12 else one.pci.lower()
            node = seen.node.text(f"/sys/bus/pci/devices/{place}/numa_node")
            numa = f"NUMA node {node.strip()}" if node and node.strip() != "-1" else "no NUMA node"
            named.append(msgspec.structs.replace(one, name=f"{one.name}, {numa}"))
        reading = msgspec.structs.replace(found.reading, gpus=tuple(named))
        return msgspec.structs.replace(found, reading=reading)

    def judge(self, reading: Gpus, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """One line a GPU."""
        for one in reading.reading.gpus:
            if one.error is None:
                yield note(
                    f"GPU {one.index} at {one.pci}: {one.name}, PCIe generation {one.pcie_gen} of "
                    f"{one.pcie_gen_max}, {one.pcie_width} of {one.pcie_width_max} lanes"
                )
