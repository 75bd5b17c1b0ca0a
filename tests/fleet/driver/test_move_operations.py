"""What the operations of the driver would run, given what they find."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from pyinfra.api import FunctionCommand

from agent.drift.manifest import Package
from fleet import manifest
from fleet.driver.recipe import Recipe
from fleet.facts.apt_simulation import AptSimulation, PackageMove
from fleet.facts.driver import MARK, DriverState, Module, State
from fleet.facts.engines import AgentStatus, Engine, Status
from fleet.facts.engines import State as EngineState
from fleet.facts.packages import Installed
from fleet.facts.paths import PathStates
from fleet.facts.units import UnitStates
from fleet.operations.driver import driver_held, driver_installed, driver_pinned
from fleet.operations.driver_loaded import driver_loaded
from fleet.operations.driver_moved import driver_moved
from fleet.operations.fabric import fabric_installed, fabric_up, unfit
from fleet.operations.nouveau import PATH, Blacklists, nouveau_off
from fleet.operations.persistence import drop_in, persistence_on
from fleet.plan import driver_moves
from fleet.plan.document import DriverMove
from fleet.render import ROOT
from tests.fleet.driver.move_samples import RECIPE, installed, state
from tests.fleet.samples import FakeHost, commands, spec

LATER = replace(RECIPE, branch="620", pin="nvidia-driver-pinning-620")
NEW = {"packages": installed("620.70.06"), "built": Module("620.70.06")}
WAITING = {**NEW, "loaded": Module("620.70.06"), "waiting": ("main",)}
FABRIC = replace(
    RECIPE,
    fabric=("nvidia-fabricmanager", "nvlsm"),
    exact=("nvidia-fabricmanager",),
    units=("nvidia-persistenced.service", "nvidia-fabricmanager.service"),
)
MANAGER = {"nvidia-fabricmanager": Package(version="595.91.07-1"), "nvlsm": Package(version="1")}


def said(command: Any) -> str:
    return "reboot and wait" if isinstance(command, FunctionCommand) else command.get_raw_value()


def in_turn(*states: State) -> Callable[..., State]:
    """Answer with these, the last one again and again."""
    left = list(states)

    def answer(**_: object) -> State:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


def engine(phase: str, by: str = "agent") -> Engine:
    return Engine(state=EngineState(phase=phase, by=by))


def host(*states: State, phase: str = "SERVING", by: str = "agent") -> FakeHost:
    drained: Iterator[Status] = iter(
        [
            Status(engines={"main": engine(phase, by)}),
            Status(engines={"main": engine("DRAINED", "deploy:root" if by == "agent" else by)}),
        ]
    )
    return FakeHost({DriverState: in_turn(*states), AgentStatus: lambda **_: next(drained)})


def moved(there: FakeHost, recipe: Recipe = LATER, **data: Any) -> list[str]:
    wanted = spec(driver_gpu_count=2, **data)
    return [
        said(one) for one in commands(there, lambda: driver_moved._inner(recipe, wanted, gpus=2))
    ]


def test_a_driver_as_wanted_disturbs_nobody() -> None:
    there = host(state())
    assert moved(there, RECIPE) == []
    assert there.noops == ["driver 595.91.07 is as wanted"]


def test_a_move_fetches_drains_installs_reboots_proves_and_lets_serve_again() -> None:
    run = moved(host(state(), state(**NEW), state(**WAITING)))
    steps = [
        "-o APT::Update::Error-Mode=any",
        "--allow-change-held-packages purge nvidia-driver-pinning-595",
        "install nvidia-driver-pinning-620",
        "--download-only install nvidia-driver-cuda",
        f"echo main >{MARK}",
        "stokerctl drain main",
        "--allow-downgrades install nvidia-driver-cuda",
        "reboot and wait",
        "systemctl reboot",
        "reboot and wait",
        "stokerctl undrain main",
        f"rm -f {MARK}",
    ]
    assert len(run) == len(steps)
    for step, command in zip(steps, run, strict=True):
        assert step in command


def test_an_engine_that_is_not_drained_in_time_serves_again_and_nothing_moves() -> None:
    [drain] = [one for one in moved(host(state(), state(**NEW))) if "stokerctl drain" in one]
    assert "stokerctl undrain main" in drain
    assert f"rm -f {MARK}; echo" in drain
    assert drain.endswith(">&2; exit 1; }")


def test_nothing_is_let_serve_without_proof() -> None:
    lost = state(**{**WAITING, "persistent": (True,)})
    [failed, *_] = moved(host(state(**NEW, waiting=("main",)), lost))[-3:]
    assert "lists 1 of 2 GPUs" in failed
    assert "engines stay drained" in failed
    assert "exit 1" in failed


def test_what_a_broken_off_run_left_drained_serves_again() -> None:
    run = moved(host(state(**WAITING), phase="DRAINED", by="deploy:root"))
    assert ["stokerctl undrain main" in one for one in run] == [True, False]
    assert run[-1] == f"rm -f {MARK}"


def test_what_a_person_drained_stays_drained() -> None:
    run = moved(host(state(), state(**NEW), state(**WAITING), phase="DRAINED", by="alice"))
    assert not [one for one in run if "stokerctl" in one]


def test_what_a_person_took_over_meanwhile_is_his() -> None:
    run = moved(host(state(**WAITING), phase="DRAINED", by="alice"))
    assert run == [f"rm -f {MARK}"]


def test_a_person_who_is_draining_is_not_disturbed() -> None:
    [failed] = moved(host(state(), phase="DRAINING", by="alice"))
    assert "engine main: somebody else is at it" in failed


def test_without_leave_to_reboot_nothing_moves() -> None:
    [failed] = moved(host(state()), driver_reboot=False)
    assert "that takes a reboot, and driver_reboot is False" in failed


def test_user_space_that_goes_back_to_the_module_needs_no_reboot() -> None:
    half = state(packages=installed() | {"libnvidia-ml1": Package(version="595.97.02-1")})
    recipe = replace(RECIPE, version="595.91.07", pin="nvidia-driver-pinning-595.91.07")
    run = moved(host(half, state()), recipe, driver_reboot=False)
    assert not [one for one in run if "reboot" in one]
    assert [one for one in run if "modprobe nvidia" in one]


def test_after_a_failed_host_no_other_is_touched() -> None:
    there = host(state())
    other = FakeHost({}, name="gpu-0")
    there.state.failed_hosts, there.state.activated_hosts = {other}, {other}
    [failed] = moved(there)
    assert "the roll stopped at gpu-0; the driver of this host was not touched" in failed


@pytest.mark.parametrize(("found", "count"), [(State(), 4), (state(), 0)])
def test_only_a_bare_host_is_installed_outside_of_a_roll(found: State, count: int) -> None:
    assert (
        len(commands(FakeHost({DriverState: found}), lambda: driver_installed._inner(RECIPE)))
        == count
    )


def test_a_pin_is_put_right_unless_it_moves_with_the_driver() -> None:
    two = state().packages | {"nvidia-driver-pinning-620": Package(version="620-1")}
    there = FakeHost({DriverState: state(packages=two)})
    [purge] = commands(there, lambda: driver_pinned._inner(RECIPE))
    assert said(purge).endswith("purge nvidia-driver-pinning-620")
    moves = FakeHost({DriverState: state()})
    assert commands(moves, lambda: driver_pinned._inner(LATER)) == []


def test_what_is_there_of_the_driver_and_the_kernel_is_held() -> None:
    found = state(packages=installed(hold=False))
    recipe = replace(RECIPE, kernels=("linux-image-amd64",), version="595.91.07")
    there = FakeHost({DriverState: found, Installed: {"linux-image-amd64": Package()}})
    [hold] = commands(there, lambda: driver_held._inner(recipe))
    assert said(hold) == (
        "apt-mark hold libcuda1 libnvidia-ml1 linux-image-amd64 nvidia-driver-cuda "
        "nvidia-kernel-open-dkms nvidia-persistenced"
    )
    noted = manifest.of(there).packages  # type: ignore[arg-type]
    assert noted["nvidia-driver-cuda"] == Package(hold=True, version="595.91.07-1")
    assert noted["libcuda1"] == Package(hold=True)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (state(), None),
        (state(loaded=Module()), "modprobe nvidia"),
        (state(loaded=Module(), nouveau=True), None),
        (state(loaded=Module(), built=Module()), "see `dkms status`"),
    ],
)
def test_a_module_is_loaded_where_none_is(found: State, expected: str | None) -> None:
    run = commands(FakeHost({DriverState: found}), driver_loaded._inner)
    assert [(expected or "") in said(one) for one in run] == ([True] if expected else [])


@pytest.mark.parametrize(
    ("packages", "fabric", "wrong"),
    [
        (MANAGER, "595.91.07", []),
        ({}, "", ["nvidia-fabricmanager", "nvlsm"]),
        # What dpkg says and what the program says are two things.
        (MANAGER, "620.70.06", ["nvidia-fabricmanager"]),
        (
            {**MANAGER, "nvidia-fabricmanager": Package(version="580.178.04-1")},
            "595.91.07",
            ["nvidia-fabricmanager"],
        ),
    ],
)
def test_fabric_manager_is_of_the_drivers_version(
    packages: dict[str, Package], fabric: str, wrong: list[str]
) -> None:
    found = state(packages=installed() | packages, fabric=fabric)
    assert unfit(FABRIC, found, "595.91.07") == wrong
    run = commands(FakeHost({DriverState: found}), lambda: fabric_installed._inner(FABRIC))
    if wrong:
        install, verify = map(said, run)
        assert "nvidia-fabricmanager=595.91.07-*" in install.replace("'", "")
        assert "but its program says" in verify
    else:
        assert run == []


def test_what_joins_the_gpus_is_started_beside_persistence() -> None:
    unit = "nvidia-fabricmanager.service"
    states = {unit: {"UnitFileState": "disabled", "ActiveState": "failed"}}
    run = commands(FakeHost({UnitStates: states}), lambda: fabric_up._inner(FABRIC))
    assert [said(one).split(unit)[0] for one in run] == ["systemctl enable ", "systemctl restart "]


@pytest.mark.parametrize(
    ("found", "count"), [([], 2), (["/usr/lib/modprobe.d/nvidia.conf"], 0), ([PATH], 1)]
)
def test_nouveau_is_kept_away_once(found: list[str], count: int) -> None:
    there = FakeHost({Blacklists: found, PathStates: {}})
    assert len(commands(there, nouveau_off._inner)) == count


def test_the_drop_in_takes_one_flag_out_and_keeps_the_rest() -> None:
    unit = "[Service]\nType=forking\nExecStart=/usr/bin/p --user nvpd --no-persistence-mode -v\n"
    assert "ExecStart=\nExecStart=/usr/bin/p --user nvpd -v\n" in drop_in(unit)
    assert "WantedBy=multi-user.target" in drop_in(unit)


@pytest.mark.parametrize(("persistent", "count"), [((True, True), 0), ((True, False), 2), ((), 2)])
def test_a_daemon_that_runs_and_keeps_nothing_is_started_again(
    persistent: tuple[bool, ...], count: int
) -> None:
    up = {"nvidia-persistenced.service": {"UnitFileState": "enabled", "ActiveState": "active"}}
    there = FakeHost({UnitStates: up, DriverState: state(persistent=persistent)})
    assert len(commands(there, persistence_on._inner)) == count


def test_a_driver_from_elsewhere_may_have_no_daemon() -> None:
    gone = {"nvidia-persistenced.service": {"LoadState": "not-found"}}
    there = FakeHost({UnitStates: gone})
    assert commands(there, persistence_on._inner) == []
    assert manifest.of(there).units == {}  # type: ignore[arg-type]


def test_apt_says_what_would_move_and_why_it_would_not() -> None:
    output = [
        "Reading package lists...",
        "Remv nvidia-kernel-dkms [580.178.04-1]",
        "Inst libcuda1 [580.178.04-1] (620.70.06-1 NVIDIA:x [amd64]) []",
        "Inst nvidia-kernel-open-dkms (620.70.06-1 NVIDIA:x [amd64])",
        "Conf libcuda1 (620.70.06-1 NVIDIA:x [amd64])",
        "E: Unable to correct problems, you have held broken packages.",
    ]
    found = AptSimulation().process(output)
    assert found.moves == (
        PackageMove(package="nvidia-kernel-dkms", before="580.178.04-1", after=None),
        PackageMove(package="libcuda1", before="580.178.04-1", after="620.70.06-1"),
        PackageMove(package="nvidia-kernel-open-dkms", before=None, after="620.70.06-1"),
    )
    assert found.problem == "Unable to correct problems, you have held broken packages."
    made = DriverMove(why="it is old", reboot=True, packages=found.moves, problem=found.problem)
    assert list(driver_moves.told(made)) == [
        "it is old: the host is drained, rebooted, and serves again when its GPUs are proven",
        "apt would not do it by its lists of now: "
        "Unable to correct problems, you have held broken packages.",
        "nvidia-kernel-dkms 580.178.04-1 → removed",
        "libcuda1 580.178.04-1 → 620.70.06-1",
        "nvidia-kernel-open-dkms not installed → 620.70.06-1",
    ]


def test_unattended_upgrades_leave_alone_what_the_recipe_names() -> None:
    text = (ROOT / "templates/52stoker").read_text()
    for pattern in RECIPE.blacklist:
        kernel = pattern.startswith("^linux-")
        assert f'"{pattern}";' in text or (kernel and '"^linux-(image|headers|modules' in text)


def test_with_a_fleet_brake_the_engine_is_drained_with_a_slot() -> None:
    braked: dict[str, Any] = {
        "agent_fleetlock_url": "http://lock.example",
        "rollout_slot_wait": 90.0,
    }
    said_then = moved(host(state(), state(**NEW), state(**WAITING)), **braked)
    [drain] = [one for one in said_then if one.startswith("/usr/local/bin/stokerctl drain")]
    assert " --slot 90 || {" in drain
