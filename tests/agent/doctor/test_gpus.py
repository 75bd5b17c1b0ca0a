"""What is found of driver and GPUs."""

import pytest

from agent.doctor.examinations.driver import DriverAnswers, DriverFlavour, DriverVersions
from agent.doctor.examinations.fabric import Fabric
from agent.doctor.examinations.gpu_count import GpuCount
from agent.doctor.examinations.gpus import Ecc, GpuMemory, GpuState, Persistence
from agent.doctor.examinations.mig import CHECK, Mig
from agent.doctor.examinations.pcie import Pcie
from agent.doctor.examinations.topology import PeerToPeer, Topology
from agent.doctor.node import Look, Ran
from agent.doctor.seen import ONCE, More
from agent.errors import SourceError
from agent.sources.gpu import Gpu
from tests.agent.doctor.fakes import FakeNode, found, nvml, told
from tests.fleet.samples import spec

PCI = "00000000:06:00.0"
WELL = Gpu(
    index=0, uuid="GPU-a", pci=PCI, name="NVIDIA H100", capability=90, persistence=True,
    mig=False, pcie_width=16, pcie_width_max=16, pcie_gen=1, pcie_gen_max=5, utilisation=0,
    ecc_uncorrected=0, recovery_action=0,
)  # fmt: skip
MORE = {PCI: More(ecc=(True, True))}
CARD = {
    "/sys/bus/pci/devices/0000:06:00.0": "",
    "/sys/bus/pci/devices/0000:06:00.0/vendor": "0x10de\n",
    "/sys/bus/pci/devices/0000:06:00.0/class": "0x030200\n",
}
GPU = spec(driver_gpu_count=1)
NONE = spec(driver_gpu_count=0, engine_gpus=0)


def gpu(**changed: object) -> FakeNode:
    made = {name: getattr(WELL, name) for name in WELL.__struct_fields__} | changed
    return FakeNode(CARD, nvml(Gpu(**made), more=MORE))


@pytest.mark.parametrize(
    "examination",
    [DriverAnswers(), DriverVersions(), DriverFlavour(), GpuCount(), GpuState(), GpuMemory(),
     Persistence(), Ecc(), Pcie(), Mig(), Fabric(), PeerToPeer()],
)  # fmt: skip
def test_a_well_gpu_has_nothing(examination: GpuState) -> None:
    assert found(examination, gpu(), GPU) == []


@pytest.mark.parametrize(
    "examination",
    [DriverAnswers(), DriverVersions(), GpuCount(), GpuState(), Persistence(), Mig(), Topology()],
)
def test_a_host_without_gpus_is_not_asked(examination: GpuState) -> None:
    node = FakeNode()
    assert found(examination, node, NONE) == []
    assert " ".join(ONCE) not in node.ran


def test_a_driver_that_hangs_is_a_fault_and_its_gpus_are_unknown() -> None:
    node = FakeNode(CARD, {" ".join(ONCE): SourceError("-m agent.nvml.once: no answer within 8 s")})
    [one] = told(found(DriverAnswers(), node, GPU))
    assert one.startswith("fault: the driver does not return from a call")
    with pytest.raises(SourceError):
        found(Persistence(), node, GPU)


def test_a_program_that_fails_is_no_fault_of_the_driver() -> None:
    node = FakeNode(CARD, {" ".join(ONCE): Ran(1, "", "ImportError: pynvml")})
    with pytest.raises(SourceError, match="ImportError: pynvml"):
        found(DriverAnswers(), node, GPU)


@pytest.mark.parametrize(
    ("code", "said"),
    [(9, "no driver is loaded"), (12, "no driver is installed"), (999, "answers with an error")],
)
def test_what_nvml_answers_instead(code: int, said: str) -> None:
    node = FakeNode(CARD, nvml(error=code, error_text="…"))
    [one] = told(found(DriverAnswers(), node, GPU))
    assert said in one


def test_a_library_of_another_version_is_told_before_it_hurts_and_when_it_does() -> None:
    link = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"
    module = {"/sys/module/nvidia/version": "595.91.07\n"}
    real = {link: f"{link.removesuffix('.1')}.595.97.01"}
    node = FakeNode(module, nvml(WELL), links=real)
    [one] = told(found(DriverVersions(), node, GPU))
    assert "driver 595.91.07 is loaded, but 595.97.01 is installed" in one
    node = FakeNode(module, nvml(error=18, error_text="…"), links=real)
    [one] = told(found(DriverVersions(), node, GPU))
    assert "module 595.91.07, library 595.97.01" in one
    same = {link: f"{link.removesuffix('.1')}.595.91.07"}
    assert found(DriverVersions(), FakeNode(module, nvml(WELL), links=same), GPU) == []
    built = {**nvml(WELL), "modinfo": "595.97.01\n"}
    [one] = told(found(DriverVersions(), FakeNode(module, built, links=same), GPU))
    assert "595.97.01 is installed" in one


@pytest.mark.parametrize(
    ("kind", "capability", "wrong"),
    [("Open ", 100, False), ("", 100, True), ("Open ", 70, True), ("", 70, False), ("", 90, False)],
)
def test_modules_that_cannot_drive_the_gpus(kind: str, capability: int, wrong: bool) -> None:
    node = gpu(capability=capability)
    node.files["/proc/driver/nvidia/version"] = (
        f"NVRM version: NVIDIA UNIX {kind}Kernel Module  595.91.07"
    )
    assert bool(found(DriverFlavour(), node, GPU)) is wrong


def test_gpus_that_are_missing_on_the_bus_or_in_the_drivers_list() -> None:
    [one] = told(found(GpuCount(), gpu(), spec(driver_gpu_count=2)))
    assert one.startswith("fault: 1 GPU(s) are on the PCI bus, driver_gpu_count is 2")
    [one] = told(found(GpuCount(), FakeNode(CARD, nvml()), GPU))
    assert "the driver drives 0" in one
    hung = FakeNode(CARD, {" ".join(ONCE): SourceError("no answer")})
    assert found(GpuCount(), hung, GPU) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"error": 15, "error_text": "GPU is lost"}, "fault: GPU 0: GPU is lost"),
        ({"recovery_action": 1}, "fault: the driver asks for a reset of GPU 0"),
        ({"recovery_action": 2}, "fault: the driver asks for action 2 of GPU 0"),
    ],
)
def test_a_gpu_that_is_ill(changed: dict[str, object], said: str) -> None:
    assert told(found(GpuState(), gpu(**changed), GPU)) == [said]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"remap_failed": True, "remap_pending": True}, "fault: the memory of GPU 0 is worn out"),
        ({"sram_threshold": True}, "fault: the memory of GPU 0 is worn out: too many SRAM"),
        ({"remap_pending": True, "ecc_uncorrected": 3}, "warning: GPU 0 remaps a row"),
        ({"retired_pending": True}, "warning: GPU 0 remaps a row"),
        ({"ecc_uncorrected": 3}, "warning: GPU 0 has had 3 uncorrectable memory error(s)"),
    ],
)
def test_memory_that_is_ill_is_told_once(changed: dict[str, object], said: str) -> None:
    [one] = told(found(GpuMemory(), gpu(**changed), GPU))
    assert one.startswith(said)


def test_persistence() -> None:
    assert "off on GPU 0" in told(found(Persistence(), gpu(persistence=False), GPU))[0]
    assert found(Persistence(), gpu(persistence=None), GPU) == []


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ((False, False), "ECC is off on GPU 0"),
        ((True, False), "ECC of GPU 0 will be off after"),
        ((False, True), "ECC of GPU 0 will be on after"),
        (None, ""),
    ],
)
def test_ecc(mode: tuple[bool, bool] | None, said: str) -> None:
    node = FakeNode(CARD, nvml(WELL, more={PCI: More(ecc=mode)}))
    findings = told(found(Ecc(), node, GPU))
    assert len(findings) == bool(said)
    assert said in "".join(findings)


def test_the_width_of_a_link_always_counts_and_its_speed_under_load_only() -> None:
    assert "8 of 16 PCIe lanes" in told(found(Pcie(), gpu(pcie_width=8), GPU))[0]
    assert found(Pcie(), gpu(pcie_gen=1, utilisation=0), GPU) == []
    assert "generation 1 instead of 5" in told(found(Pcie(), gpu(utilisation=90), GPU))[0]


def test_mig_is_as_declared() -> None:
    split = spec(driver_gpu_count=2, driver_mig={"1": ("3g.40gb", "3g.40gb")})
    check = " ".join(CHECK)
    assert found(Mig(), FakeNode({}, {check: "as declared"}), split) == []
    differs = Ran(2, "GPU 1 is split into nothing, should be 3g.40gb, 3g.40gb\n")
    [one] = found(Mig(), FakeNode({}, {check: differs}), split)
    assert one.message == differs.out.strip()
    assert "stoker-mig" in one.fix
    with pytest.raises(SourceError, match="no answer from nvidia-smi"):
        found(Mig(), FakeNode({}, {check: Ran(1, "MIG: no answer from nvidia-smi\n")}), split)


def test_mig_that_nobody_declared() -> None:
    assert "GPU 0 is in MIG mode" in told(found(Mig(), gpu(mig=True), GPU))[0]
    assert found(Mig(), gpu(mig=True), None) == []


def switched(manager: Ran | None) -> FakeNode:
    node = gpu()
    place = "/sys/bus/pci/devices/0000:90:00.0"
    node.files |= {place: "", f"{place}/vendor": "0x10de\n", f"{place}/class": "0x068000\n"}
    node.looks[place] = Look()
    node.commands |= nvml(Gpu(index=0, pci=PCI, fabric_state=3), driver="595.91.07")
    if manager:
        node.commands["nv-fabricmanager"] = manager
    return node


def test_fabric_manager_is_of_the_drivers_version() -> None:
    good = Ran(0, "Fabric Manager version is : 595.91.07\n")
    assert found(Fabric(), switched(good), GPU) == []
    other = Ran(0, "Fabric Manager version is : 580.178.04\n")
    assert "is 580.178.04, the driver 595.91.07" in told(found(Fabric(), switched(other), GPU))[0]
    assert "no Fabric Manager" in told(found(Fabric(), switched(None), GPU))[0]


def test_a_gpu_that_has_not_joined_the_fabric() -> None:
    node = switched(Ran(0, "595.91.07"))
    node.commands |= nvml(Gpu(index=0, pci=PCI, fabric_state=2), driver="595.91.07")
    assert "GPU 0 has not joined" in told(found(Fabric(), node, GPU))[0]


def test_peers_are_noted_and_nothing_is_advised_for_one_gpu() -> None:
    two = Gpu(index=1, uuid="GPU-b", pci="00000000:07:00.0")
    node = FakeNode({"/proc/cmdline": "quiet", "/sys/kernel/iommu_groups/1": ""}, nvml(WELL, two))
    node.commands["lspci"] = "ACSCtl:\tSrcValid+ TransBlk-\nACSCtl:\tSrcValid- TransBlk-\n"
    pair = spec(driver_gpu_count=2)
    said = told(found(PeerToPeer(), node, pair))
    assert [one.split(":")[0] for one in said] == ["note", "note"]
    assert "ACS is on for 1 PCIe" in said[1]
    node.files["/proc/cmdline"] = "quiet iommu=pt"
    assert len(found(PeerToPeer(), node, pair)) == 1


def test_where_each_gpu_hangs_is_a_note() -> None:
    node = gpu()
    node.files["/sys/bus/pci/devices/0000:06:00.0/numa_node"] = "1\n"
    [one] = told(found(Topology(), node, GPU))
    assert one.startswith("note: GPU 0 at 00000000:06:00.0: NVIDIA H100, NUMA node 1, PCIe")
