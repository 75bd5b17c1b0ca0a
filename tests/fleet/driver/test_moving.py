"""When a driver moves, why, and whether it did."""

from typing import Any

import pytest
from msgspec.structs import replace

from agent.drift.manifest import Package
from fleet.driver import moving
from fleet.driver.moving import Move
from fleet.facts.driver import DriverState, Module, State
from tests.fleet.driver.move_samples import RECIPE, installed, state

HELD = Package(hold=True, version="595.91.07-1")


@pytest.mark.parametrize(
    "found",
    [
        state(),
        state(packages=installed("595.97.02")),  # a point release is no reason to move
        State(),  # a bare host is installed, not moved
        # The tools of others, and what is numbered otherwise.
        state(packages=installed() | {"nvlsm": Package(version="2025.06.11-1")}),
    ],
)
def test_what_is_as_wanted_stays(found: State) -> None:
    if found.built.version:
        versions = found.versions["nvidia-driver-cuda"]
        found = replace(found, loaded=Module(versions), built=Module(versions))
    assert moving.move(RECIPE, found) is None


@pytest.mark.parametrize(
    ("found", "recipe", "why"),
    [
        (state(), {"branch": "620"}, "driver 595.91.07 is installed, branch 620 is wanted"),
        (state(), {"version": "595.97.02"}, "driver 595.91.07 is installed, 595.97.02 is wanted"),
        (
            state(packages=installed() | {"libnvidia-ml1": Package(version="595.97.02-1")}),
            {},
            "the driver is half upgraded: libcuda1 595.91.07, libnvidia-ml1 595.97.02",
        ),
        (
            state(),
            {"driver": ("nvidia-driver-cuda", "nvidia-kernel-dkms")},
            "nvidia-kernel-dkms is not installed (595.91.07 is loaded)",
        ),
    ],
)
def test_packages_move(found: State, recipe: dict[str, Any], why: str) -> None:
    assert moving.move(replace(RECIPE, **recipe), found) == Move(why, install=True)


def test_a_module_that_is_not_the_loaded_one_takes_a_reboot_alone() -> None:
    found = state(packages=installed("595.97.02"), built=Module("595.97.02"))
    why = "driver 595.91.07 is loaded, 595.97.02 is installed"
    assert moving.move(RECIPE, found) == Move(why, install=False)
    flavour = state(built=Module("595.91.07", open=False))
    assert moving.move(RECIPE, flavour)
    assert moving.move(RECIPE, state(nouveau=True)) == Move("nouveau has the GPUs", install=False)


def test_a_fabric_manager_of_another_version_moves_no_driver() -> None:
    recipe = replace(RECIPE, fabric=("nvidia-fabricmanager",), exact=("nvidia-fabricmanager",))
    other = installed() | {"nvidia-fabricmanager": Package(version="580.178.04-1")}
    assert moving.move(recipe, state(packages=other)) is None
    assert moving.installed(recipe, state(packages=other)) == "595.91.07"


@pytest.mark.parametrize(
    ("recipe", "found", "foretold"),
    [
        ({"branch": "620"}, state(), True),
        # Only user space is ahead, and back is where the module still is.
        ({"version": "595.91.07"}, state(packages=installed("595.97.02")), False),
        ({"version": "595.91.07", "flavour": "proprietary"}, state(), True),
        ({"version": "595.91.07"}, state(nouveau=True), True),
        # Nothing is loaded, so nothing has to leave.
        ({"branch": "620"}, state(loaded=Module()), False),
    ],
)
def test_a_reboot_is_foretold(recipe: dict[str, Any], found: State, *, foretold: bool) -> None:
    move = Move("because", install=True)
    assert moving.needs_reboot(replace(RECIPE, **recipe), move, found) is foretold


def test_a_refusal_says_both_ways_out() -> None:
    said = moving.refusal(Move("it is so", install=True), state())
    assert "it is so: that takes a reboot, and driver_reboot is False" in said
    assert "driver_version = '595.91.07'" in said


def test_every_package_of_the_driver_is_named_so_that_none_stops_apt() -> None:
    there = installed() | {
        "nvidia-kernel-dkms": HELD,
        "libnvidia-compute-580": HELD,
        "nvidia-driver-pinning-595": Package(version="595-1"),
    }
    assert moving.names(RECIPE, state(packages=there)) == [
        *RECIPE.driver,
        "libcuda1",
        "libnvidia-ml1",
        "nvidia-kernel-dkms-",
    ]


@pytest.mark.parametrize(
    ("pins", "left", "expected"),
    [
        (["595"], [], ([], False)),
        ([], [], ([], True)),
        (["620"], [], (["nvidia-driver-pinning-620"], True)),
        (["595", "620"], [], (["nvidia-driver-pinning-620"], False)),
        (["595"], ["580"], (["nvidia-driver-pinning-580"], False)),
    ],
)
def test_one_pin_and_no_other(
    pins: list[str], left: list[str], expected: tuple[list[str], bool]
) -> None:
    packages = {f"nvidia-driver-pinning-{one}": Package(version=f"{one}-1") for one in pins}
    gone = tuple(f"nvidia-driver-pinning-{one}" for one in left)
    assert moving.pins(RECIPE, state(packages=packages, left=gone)) == expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"built": Module()}, "is missing: see `dkms status`"),
        ({"built": Module("580.178.04")}, "running kernel is 580.178.04"),
        ({"loaded": Module()}, "but none is loaded"),
        ({"loaded": Module("580.178.04")}, "but 580.178.04 is loaded"),
        ({"persistent": (True,), "answer": "No devices"}, "lists 1 of 2 GPUs (No devices)"),
        ({"persistent": (True, False)}, "persistence mode is off"),
        ({"packages": installed() | {"libcuda1": Package(version="1")}}, ""),
        (
            {"packages": installed() | {"libcuda1": Package(version="580.178.04-1")}},
            "still half installed",
        ),
    ],
)
def test_the_proof(changes: dict[str, Any], said: str) -> None:
    found = moving.proof(RECIPE, state(**changes), gpus=2)
    assert said in found
    assert bool(found) is bool(said)


def test_what_the_host_prints_becomes_a_state() -> None:
    output = [
        "loaded=NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.91.07  Release Build",
        "built=595.97.02",
        "license=NVIDIA",
        "nouveau=yes",
        "waiting=main code",
        "fabric=Fabric Manager version is : 595.91.07",
        "package=nvidia-driver-cuda|hold|installed|595.91.07-1",
        "package=libnvidia-container1|hold|installed|1.20.1-1",
        "package=nvidia-driver-pinning-580|deinstall|config-files|580-1",
        "gpu=Enabled",
        "gpu=Disabled",
    ]
    assert DriverState().process(output) == State(
        loaded=Module("595.91.07"),
        built=Module("595.97.02", open=False),
        nouveau=True,
        packages={"nvidia-driver-cuda": HELD},
        left=("nvidia-driver-pinning-580",),
        fabric="595.91.07",
        persistent=(True, False),
        waiting=("main", "code"),
    )
    bare = DriverState().process(["loaded=", "built=", "license=", "fabric=", "answer=not found"])
    assert bare == State(answer="not found")
