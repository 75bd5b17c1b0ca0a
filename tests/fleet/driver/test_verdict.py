"""Installed, adopted or refused: what is decided about a host, and the sentences for it."""

from datetime import date
from typing import Any

import pytest

from fleet.driver import verdict
from fleet.facts.nvidia import Device, Nvidia, Package
from tests.fleet.driver.samples import (
    ARCHIVE,
    DEBIAN,
    H100,
    OWN,
    WORKING,
    bare,
    change,
    decide,
    gpus,
)
from tests.fleet.samples import spec

LINE = "595 open (production, supported until 2027-03), pinned and held"


def test_a_bare_host_gets_the_driver() -> None:
    made = decide(bare())
    assert made.recipe is not None
    assert (made.line, made.adopted, made.problems, made.warnings) == (LINE, False, (), ())


def test_a_host_without_gpus_gets_none() -> None:
    made = decide(bare(Nvidia()), driver_gpu_count=0, engine_gpus=0)
    assert (made.recipe, made.line, made.problems) == (None, "", ())


def test_what_a_deploy_installed_is_kept_by_its_recipe() -> None:
    made = decide(bare(change(WORKING, packages=OWN, ours=True, answers="595.91.07")))
    assert (made.line, made.adopted) == (LINE, False)


def test_a_very_version_is_pinned() -> None:
    made = decide(bare(), driver_version="595.91.07", driver_branch="595")
    assert made.recipe
    assert made.recipe.pin == "nvidia-driver-pinning-595.91.07"
    assert made.line.startswith("595.91.07 open (")


@pytest.mark.parametrize(
    ("packages", "changes", "line"),
    [
        (ARCHIVE, {}, "adopted: 590.48.01 from the distribution's packages, left as it is"),
        (OWN, {}, "adopted: 590.48.01 from NVIDIA's repository, left as it is"),
        ((), {"run_file": True}, "adopted: 590.48.01 from a .run file, left as it is"),
        ((), {}, "adopted: 590.48.01 from no package, left as it is"),
    ],
)
def test_a_driver_that_works_is_adopted_wherever_it_came_from(
    packages: tuple[Package, ...], changes: dict[str, Any], line: str
) -> None:
    made = decide(bare(change(WORKING, packages=packages), **changes))
    assert (made.adopted, made.recipe, made.line) == (True, None, line)
    assert made.warnings == ("the adopted driver is of branch 590: new features only, no longer "
                             "supported",)  # fmt: skip


@pytest.mark.parametrize(
    ("nvidia", "data", "why"),
    [
        ({}, {"driver_adopt": False}, "driver_adopt is False"),
        ({"answers": ""}, {}, "it does not answer nvidia-smi"),
        ({"answers": "570.211.01"}, {}, "engines need 580 or later"),
        (
            {},
            {"driver_branch": "595", "driver_version": "595.91.07"},
            "driver_version is 595.91.07",
        ),
        ({"gpus": gpus("2901"), "open": False}, {}, "is proprietary, which does not drive B200"),
        ({"fabric": "580.178.04"}, {}, "Fabric Manager is 580.178.04, which must be the driver's"),
        ({}, {"driver_gpu_count": 2}, "it shows 1 of 2 GPUs"),
    ],
)
def test_a_foreign_driver_that_may_not_stay_is_not_mixed_with(
    nvidia: dict[str, Any], data: dict[str, Any], why: str
) -> None:
    found = change(WORKING, packages=ARCHIVE, **nvidia)
    [problem] = decide(bare(found), **data).problems
    assert "from the distribution's packages, and " in problem
    assert why in problem
    assert "remove it first with apt-get purge libnvidia-compute-590 nvidia-dkms-590-o" in problem
    [problem] = decide(bare(change(found, packages=()), run_file=True), **data).problems
    assert why in problem
    assert "remove it first with nvidia-uninstall" in problem


def test_a_driver_of_nvidias_repository_is_taken_over_where_it_may_not_stay() -> None:
    made = decide(bare(change(WORKING, packages=OWN)), driver_adopt=False)
    assert made.recipe
    assert made.line == f"{LINE}, in place of 590.48.01"


def test_debians_packages_are_told_by_their_maintainer() -> None:
    packages = (Package("nvidia-driver", "550.163.01-2", DEBIAN),)
    [problem] = decide(bare(change(H100, packages=packages))).problems
    assert "has driver 550.163.01 from the distribution's packages, and it does not answ" in problem


def test_a_tool_from_the_distribution_is_no_driver() -> None:
    packages = (Package("nvidia-settings", "550.163.01-1", DEBIAN),)
    assert decide(bare(change(H100, packages=packages))).line == LINE


def test_a_distributions_packages_over_ours_are_refused() -> None:
    [problem] = decide(bare(change(WORKING, packages=(*OWN, *ARCHIVE), ours=True))).problems
    assert "it came on top of ours" in problem


@pytest.mark.parametrize(
    ("nvidia", "said"),
    [
        ({"secure_boot": True, "mok": False}, "has Secure Boot on and no key enrolled"),
        ({"headers": False}, "runs Linux 6.12.57+deb13-amd64, whose headers are not installed"),
        ({"sources": ("/etc/apt/sources.list.d/cuda.list",)}, "in /etc/apt/sources.list.d/cuda.li"),
        ({"gpus": gpus("2330", bound="vfio-pci")}, "GPU 0000:06:00.0 is bound to vfio-pci"),
        ({"gpus": gpus("1db4", "2901")}, "no driver drives both; move one of them"),
        ({"gpus": gpus("102d")}, "the last driver for it is 470, and engines need 580"),
    ],
)
def test_what_is_in_the_way_is_one_sentence(nvidia: dict[str, Any], said: str) -> None:
    made = decide(bare(change(H100, **nvidia)))
    [problem] = made.problems
    assert said in problem
    assert "\n" not in problem
    assert (made.recipe, made.line) == (None, "")


@pytest.mark.parametrize(
    "nvidia",
    [
        {"secure_boot": None, "mok": None},
        {"secure_boot": None, "mok": False},
        {"secure_boot": True, "mok": True},
        {"secure_boot": True, "mok": False, "module": "595.91.07", "packages": OWN, "ours": True},
        {"headers": None},
    ],
)
def test_what_is_not_known_or_good_is_no_fault(nvidia: dict[str, Any]) -> None:
    made = decide(bare(change(H100, **nvidia)))
    assert (made.problems, made.line) == ((), LINE)


def test_in_a_container_the_kernel_is_no_matter() -> None:
    found = change(H100, headers=False, secure_boot=True, mok=False)
    assert decide(bare(found, container=True)).problems == ()


def test_secure_boot_has_three_ways_on_ubuntu() -> None:
    found = change(H100, secure_boot=True, mok=False)
    [debian] = decide(bare(found)).problems
    [ubuntu] = decide(bare(found, os="ubuntu-24.04")).problems
    assert "Ubuntu's own signed driver" in ubuntu
    assert "Ubuntu" not in debian


@pytest.mark.parametrize(
    "kernels", [("7.0.0-14-generic",), ("6.8.0-88-generic", "7.0.0-14-generic")]
)
def test_a_branch_that_does_not_build_for_the_kernel_is_refused(kernels: tuple[str, ...]) -> None:
    found = change(H100, kernel=kernels[0], kernels=kernels)
    data = {"driver_branch": "590", "driver_force_branch": True}
    [problem] = decide(bare(found, os="ubuntu-24.04"), **data).problems
    assert problem == (
        "has Linux 7.0.0-14-generic, for which driver 590 does not build (it does below 7.0): "
        "take 580, 595 or 620"
    )
    old = change(H100, kernel="6.8.0-88-generic", kernels=("6.8.0-88-generic",))
    assert decide(bare(old, os="ubuntu-24.04"), **data).problems == ()
    assert decide(bare(found, os="ubuntu-24.04"), driver_branch="595").problems == ()


@pytest.mark.parametrize(
    ("device", "branch", "said"),
    [
        (
            "1db4",
            "595",
            "has Tesla V100 PCIe 16GB (volta), whose last driver branch is 580: set dr",
        ),
        ("3182", "570", "has B300 SXM6 AC, which needs driver branch 580 or later"),
        ("2bb5", "570", "needs driver branch 575 or later"),
    ],
)
def test_a_branch_that_does_not_drive_the_gpu_is_refused(
    device: str, branch: str, said: str
) -> None:
    found = change(H100, gpus=gpus(device, device))
    [problem] = decide(bare(found), driver_branch=branch, driver_force_branch=True).problems
    assert said in problem


@pytest.mark.parametrize("key", ["all", "1"])
def test_gpus_that_cannot_be_split(key: str) -> None:
    found = bare(change(H100, gpus=gpus("2330", "26b9")))
    data: dict[str, Any] = {"driver_gpu_count": 2, "engine_gpus": 0}
    made = decide(found, driver_mig={key: ("3g.40gb",)}, **data)
    said = f"driver_mig[{key!r}]: GPU 1 (L40S) cannot be split into instances"
    assert made.problems == (said,)
    assert decide(found, driver_mig={"0": ("3g.40gb",)}, **data).problems == ()


@pytest.mark.parametrize(
    ("nvidia", "data", "said"),
    [
        (
            {"gpus": gpus("3002")},
            {},
            "has an unknown GPU (10de:3002), newer than our table: it gets",
        ),
        ({"gpus": gpus("2330", bound="nouveau")}, {}, "driver, it takes a reboot"),
        (
            {"gpus": gpus("2330", bound="nouveau")},
            {"driver_reboot": False},
            "reboot it yourself (driver_reboot is False)",
        ),
        ({"secure_boot": True}, {}, "nothing tells whether the key that DKMS signs with is enroll"),
        ({"reboot_required": True}, {}, "waits for a reboot (/run/reboot-required)"),
        (
            {"kernels": ("6.12.57+deb13-amd64", "6.12.9+deb13-amd64", "6.12.63+deb13-amd64")},
            {},
            "runs Linux 6.12.57+deb13-amd64, but 6.12.63+deb13-amd64 is installed",
        ),
    ],
)
def test_what_is_only_warned_of(nvidia: dict[str, Any], data: dict[str, Any], said: str) -> None:
    made = decide(bare(change(H100, **nvidia)), **data)
    [warning] = made.warnings
    assert said in warning
    assert made.recipe


def test_a_kernel_of_another_kind_does_not_start_next() -> None:
    kernels = ("6.12.57+deb13-amd64", "6.12.63+deb13-cloud-amd64")
    assert decide(bare(change(H100, kernels=kernels))).warnings == ()


def test_the_end_of_a_branch_is_warned_of_where_today_is_known() -> None:
    for found in (bare(), bare(change(WORKING, packages=ARCHIVE, answers="595.91.07"))):
        made = verdict.of(spec(), found, date(2027, 2, 1))
        assert made.warnings == ("driver branch 595 gets no fixes after 2027-03, in 59 days",)
        assert verdict.of(spec(), found).warnings == ()


@pytest.mark.parametrize(
    ("devices", "switches", "fabric"),
    [
        (["2330"] * 8, 4, ("nvidia-fabricmanager",)),
        (["2330"] * 4, 0, ()),
        (["2901"] * 8, 0, ("nvidia-fabricmanager", "nvlsm", "infiniband-diags")),
        (["2901"] * 2, 0, ()),
        (["2901"] * 2, 1, ("nvidia-fabricmanager", "nvlsm", "infiniband-diags")),
        (["2bb5"] * 8, 0, ()),
        (["2941"] * 4, 0, ("nvidia-imex",)),
        (["2342"], 0, ()),
    ],
)
def test_the_switches_decide_about_fabric_manager(
    devices: list[str], switches: int, fabric: tuple[str, ...]
) -> None:
    there = tuple(Device(f"0000:8{n}:00.0", "22a3") for n in range(switches))
    made = decide(bare(change(H100, gpus=gpus(*devices), switches=there)))
    assert made.recipe
    assert made.recipe.fabric == fabric
    assert made.recipe.modules == (("ib_umad",) if "nvlsm" in fabric else ())


def test_old_and_new_gpus_share_a_proprietary_driver() -> None:
    made = decide(bare(change(H100, gpus=gpus("1db4", "2330"))))
    assert made.line == "580 proprietary (long-term, supported until 2028-06), pinned and held"


def test_an_unsupported_host_is_somebody_elses_sentence() -> None:
    assert decide(bare(os="rocky-9.6")).problems == ()
