"""The look itself, by a real shell, at a directory in the place of the host's root."""

import os
import subprocess
from pathlib import Path

import pytest

from fleet.facts.nvidia import LOOK, Device, Nvidia, read
from tests.sandbox.nvml.pci import write_pci

PATHS = ("/sys/", "/proc/", "/boot/", "/lib/modules/", "/var/lib/", "/etc/apt/", "/run/reboot")
VARIABLE = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


class Root:
    """A root that a look sees: files by path, programs by what they print."""

    def __init__(self, directory: Path) -> None:
        self.root, self.bin = directory / "root", directory / "bin"
        self.bin.mkdir()
        write_pci(self.root / "sys/bus/pci/devices", 2)
        self.program("systemd-detect-virt", "echo none; exit 1")
        for name in ("nvidia-smi", "dpkg-query", "nv-fabricmanager", "apt-cache"):
            self.program(name, "exit 1")
        self.program("uname", "echo 6.12.57+deb13-amd64")

    def program(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def file(self, path: str, content: bytes = b"") -> None:
        where = self.root / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(content)

    def look(self) -> Nvidia:
        script = LOOK
        for path in PATHS:
            script = script.replace(path, f"{self.root}{path}")
        done = subprocess.run(
            ["sh", "-s"],
            input=script,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": f"{self.bin}:{os.environ['PATH']}"},
        )
        assert done.stderr == ""
        found: dict[str, list[str]] = {}
        for line in done.stdout.splitlines():
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
        return read(found)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def test_a_bare_machine(root: Root) -> None:
    assert root.look() == Nvidia(
        gpus=(Device("0000:06:00.0", "2330"), Device("0000:07:00.0", "2330")),
        kernel="6.12.57+deb13-amd64",
        secure_boot=False,  # it has no EFI
        mok=False,
    )


def test_what_has_a_gpu_and_which_are_switches(root: Root) -> None:
    write_pci(root.root / "sys/bus/pci/devices", 1, device="0x2901", switches=1)
    devices = root.root / "sys/bus/pci/devices"
    (root.root / "nouveau").mkdir()
    (devices / "0000:06:00.0/driver").symlink_to(root.root / "nouveau")
    for number, data in ((1, b"\x82ConnectX SMDL=SW_MNG"), (2, b"\x82ConnectX")):
        for name, text in (("vendor", "0x15b3"), ("class", "0x020700"), ("device", "0x1021")):
            root.file(f"sys/bus/pci/devices/0000:0{number}:00.0/{name}", f"{text}\n".encode())
        root.file(f"sys/bus/pci/devices/0000:0{number}:00.0/vpd", data)
    found = root.look()
    assert found.gpus == (Device("0000:06:00.0", "2901", "nouveau"),)
    assert {one.id for one in found.switches} == {"22a3", "1021"}
    assert len(found.switches) == 2


@pytest.mark.parametrize(("value", "said"), [(1, True), (0, False)])
def test_secure_boot(root: Root, value: int, said: bool) -> None:
    root.file(VARIABLE, bytes([6, 0, 0, 0, value]))
    assert root.look().secure_boot is said


def test_a_machine_that_hides_the_variable_is_not_known(root: Root) -> None:
    (root.root / "sys/firmware/efi").mkdir(parents=True)
    assert root.look().secure_boot is None


@pytest.mark.parametrize("path", ["var/lib/dkms/mok.pub", "var/lib/shim-signed/mok/MOK.der"])
@pytest.mark.parametrize(
    ("script", "enrolled"),
    [
        ('echo "$2 is already enrolled"; exit 1', True),
        ('echo "$2 is not enrolled"', False),
    ],
)
def test_the_key_of_dkms(root: Root, path: str, script: str, enrolled: bool) -> None:
    root.file(path)
    root.program("mokutil", script)
    assert root.look().mok is enrolled


def test_the_kernels_headers(root: Root) -> None:
    assert root.look().headers is None  # apt has no lists
    root.file("var/lib/apt/lists/deb.debian.org_Packages")
    assert root.look().headers is False
    root.program("apt-cache", '[ "$1 $2" = "show linux-headers-6.12.57+deb13-amd64" ]')
    assert root.look().headers is True
    root.program("apt-cache", "exit 1")
    root.file("lib/modules/6.12.57+deb13-amd64/build/Makefile")
    assert root.look().headers is True


def test_in_a_container_the_kernel_is_not_looked_at(root: Root) -> None:
    root.program("systemd-detect-virt", "echo docker")
    root.file(VARIABLE, bytes([6, 0, 0, 0, 1]))
    root.file("boot/vmlinuz-6.12.63+deb13-amd64")
    found = root.look()
    assert (found.secure_boot, found.mok, found.headers, found.kernels) == (None, None, None, ())


def test_kernels_and_a_reboot(root: Root) -> None:
    root.file("boot/vmlinuz-6.12.57+deb13-amd64")
    root.file("boot/vmlinuz-6.12.63+deb13-amd64")
    root.file("run/reboot-required")
    found = root.look()
    assert found.kernels == ("6.12.57+deb13-amd64", "6.12.63+deb13-amd64")
    assert found.reboot_required


def test_sources_of_others(root: Root) -> None:
    url = "https://developer.download.nvidia.com/compute/cuda/repos/debian13/x86_64/ /"
    root.file("etc/apt/sources.list", f"# deb {url}\n".encode())
    root.file("etc/apt/sources.list.d/stoker-nvidia.sources", f"URIs: {url}\n".encode())
    assert root.look().sources == ()
    root.file("etc/apt/sources.list.d/cuda.list", f"deb [signed-by=/x.gpg] {url}\n".encode())
    found = root.look()
    assert [Path(one).name for one in found.sources] == ["cuda.list"]
    assert found.ours


def test_a_driver_that_answers(root: Root) -> None:
    root.program("nvidia-smi", "echo '595.91.07, NVIDIA H100, 81559, 9.0'")
    root.program("nv-fabricmanager", "echo 'Fabric Manager version is : 595.91.07'")
    root.program("dpkg-query", "echo 'installed|libcuda1|595.91.07-1|N'; echo 'not-installed|x||'")
    root.file(
        "proc/driver/nvidia/version", b"NVRM version: NVIDIA UNIX Open Kernel Module 595.91\n"
    )
    found = root.look()
    assert (found.answers, found.fabric, found.module) == ("595.91.07", "595.91.07", "595.91")
    assert [one.name for one in found.packages] == ["libcuda1"]
