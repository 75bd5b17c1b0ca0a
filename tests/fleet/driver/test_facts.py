"""What is made of what a host prints about NVIDIA."""

from fleet.facts.nvidia import Device, Nvidia, Package, read


def look(*lines: str) -> Nvidia:
    found: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition("=")
        found.setdefault(key, []).append(value)
    return read(found)


def test_a_host_that_says_nothing() -> None:
    assert look() == Nvidia()


def test_devices_with_and_without_a_module() -> None:
    found = look(
        "gpu=0000:06:00.0 2330 nvidia", "gpu=0000:07:00.0 2330 ", "switch=0000:81:00.0 22a3 "
    )
    assert found.gpus == (
        Device("0000:06:00.0", "2330", "nvidia"),
        Device("0000:07:00.0", "2330"),
    )
    assert found.switches == (Device("0000:81:00.0", "22a3"),)


def test_versions() -> None:
    open_module = look(
        "module=NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.91.07  Release Build"
        "  (dvs-builder@U16)  Tue Sep 1 04:00:00 UTC 2026"
    )
    assert (open_module.module, open_module.open) == ("595.91.07", True)
    closed = look("module=NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.178.04  Mon Aug 3")
    assert (closed.module, closed.open) == ("580.178.04", False)
    assert look("module=").open is None
    said = look("answers=590.48", "answers=590.48", "fabric=Fabric Manager version is : 595.91.07")
    assert (said.answers, said.fabric) == ("590.48", "595.91.07")
    assert look("answers=Failed to initialize NVML: Driver/library version mismatch").answers == ""


def test_packages_have_a_maintainer_with_any_sign_in_it() -> None:
    [package] = look("package=libcuda1|595.91.07-1|NVIDIA | cudatools").packages
    assert package == Package("libcuda1", "595.91.07-1", "NVIDIA | cudatools")


def test_what_is_not_told_is_not_known() -> None:
    told = look("headers=no", "secure_boot=yes", "mok=", "ours=yes", "ours=yes", "reboot=yes")
    assert (told.headers, told.secure_boot, told.mok) == (False, True, None)
    assert (told.ours, told.reboot_required) == (True, True)
