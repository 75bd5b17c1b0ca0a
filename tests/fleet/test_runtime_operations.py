"""What the operations of the runtime stage would run, given what they find."""

from collections.abc import Callable, Generator

from pyinfra.api import StringCommand

from agent.drift.manifest import Package, Unit
from agent.mig.__main__ import AS_DECLARED
from fleet import manifest
from fleet.distributions import DOCKER, TOOLKIT
from fleet.facts.packages import Installed
from fleet.facts.units import UnitStates
from fleet.operations.cdi import UNIT as CDI
from fleet.operations.cdi import Cdi, CdiState, cdi_fresh
from fleet.operations.docker_packages import docker_packages
from fleet.operations.live_restore import Running, RunningContainers, live_restore
from fleet.operations.lockstep import lockstep
from fleet.operations.mig import UNIT as MIG
from fleet.operations.mig import MigLayout, mig_current, mig_gone
from tests.fleet.samples import FakeHost, commands

HELD = {name: Package(hold=True, version="5:29") for name in DOCKER}
GPU, OTHER = (f"GPU-{n}1406f08-cac6-56c7-8fd5-4b991f2a3d77" for n in (0, 1))
SLICE = "MIG-51406f08-cac6-56c7-8fd5-4b991f2a3d77"


def texts(host: FakeHost, run: Callable[[], Generator[StringCommand]]) -> list[str]:
    return [command.get_raw_value() for command in commands(host, run)]


# -- Docker's packages ---------------------------------------------------------------------------


def test_dockers_packages_that_are_there_are_left_alone() -> None:
    host = FakeHost({Installed: HELD})
    assert texts(host, lambda: docker_packages._inner("28.2")) == []
    assert host.noops
    assert manifest.of(host).packages["docker-ce"] == Package(hold=True)  # type: ignore[arg-type]


def test_a_distributions_packages_go_in_the_same_transaction_and_are_never_purged() -> None:
    host = FakeHost(
        {Installed: {"docker.io": Package(), "runc": Package(), "docker-ce": Package()}}
    )
    [install, hold] = texts(host, lambda: docker_packages._inner("28.2"))
    assert "install docker-ce docker-ce-cli containerd.io docker.io- runc- &&" in install
    assert "purge" not in install
    assert "rm -f /var/lib/docker/nuke-graph-directory.sh" in install
    assert hold == "apt-mark hold docker-ce docker-ce-cli containerd.io"


def test_containers_that_may_end_are_stopped_while_docker_knows_them() -> None:
    host = FakeHost({Installed: {"docker.io": Package()}})
    stop, install, _ = texts(host, lambda: docker_packages._inner("28.2", ending=["tgi"]))
    assert stop == "docker stop -t 60 tgi || true"
    assert "docker.io-" in install
    there = FakeHost({Installed: HELD})
    assert texts(there, lambda: docker_packages._inner("28.2", ending=["tgi"])) == []


def test_settings_that_were_left_behind_ask_no_question() -> None:
    [install, _] = texts(FakeHost({Installed: {}}), lambda: docker_packages._inner("28.2"))
    assert "--force-confold" in install


def test_a_docker_that_is_too_old_is_upgraded_and_looked_at() -> None:
    install, hold, look = texts(
        FakeHost({Installed: HELD}), lambda: docker_packages._inner("28.2", upgrade=True)
    )
    assert "install docker-ce docker-ce-cli containerd.io" in install
    assert hold.startswith("apt-mark hold docker-ce ")
    assert "28.2" in look
    assert "the repository has none newer" in look


# -- the toolkit ---------------------------------------------------------------------------------


def _toolkit(**other: str) -> dict[str, Package]:
    return {n: Package(hold=True, version=other.get(n.replace("-", "_"), "1-1")) for n in TOOLKIT}


def test_four_of_one_version_are_left_alone() -> None:
    host = FakeHost({Installed: _toolkit()})
    assert texts(host, lambda: lockstep._inner(TOOLKIT, "1-1")) == []
    assert host.noops


def test_one_of_another_version_brings_all_four_back_in_one_transaction() -> None:
    host = FakeHost({Installed: _toolkit(libnvidia_container1="2-1")})
    repair, hold = texts(host, lambda: lockstep._inner(TOOLKIT, "1-1"))
    assert repair.endswith("install " + " ".join(f"{name}=1-1" for name in TOOLKIT))
    assert hold == "apt-mark hold " + " ".join(TOOLKIT)
    assert "--allow-downgrades" in repair
    assert "--allow-change-held-packages" in repair


def test_one_that_is_not_held_is_held() -> None:
    host = FakeHost({Installed: {**_toolkit(), TOOLKIT[2]: Package(version="1-1")}})
    assert texts(host, lambda: lockstep._inner(TOOLKIT, "1-1")) == [f"apt-mark hold {TOOLKIT[2]}"]


# -- containers over a restart -------------------------------------------------------------------


def test_containers_that_would_end_are_kept_before_anything_restarts() -> None:
    [command] = texts(FakeHost({RunningContainers: Running(2, kept=False)}), live_restore._inner)
    assert command.startswith("systemctl reload docker.service")
    assert "restart docker" not in command


def test_containers_that_stay_anyhow_and_none_at_all_need_nothing() -> None:
    for found in (Running(2, kept=True), Running(0, kept=False), Running()):
        assert texts(FakeHost({RunningContainers: found}), live_restore._inner) == []


def test_what_docker_says_of_them_is_read() -> None:
    assert RunningContainers().process(["3 false"]) == Running(3, kept=False)
    assert RunningContainers().process([]) == Running()


# -- the CDI specification -----------------------------------------------------------------------

FRESH = Cdi(young=True, enabled=True, has=frozenset({GPU}), shows=frozenset({GPU}))


def _cdi(found: Cdi) -> list[str]:
    return texts(FakeHost({CdiState: found}), cdi_fresh._inner)


def test_a_fresh_specification_is_left_alone() -> None:
    assert _cdi(FRESH) == []


def test_a_driver_that_does_not_answer_makes_nothing_stale() -> None:
    assert _cdi(Cdi(young=True, enabled=True, has=frozenset({GPU, SLICE}))) == []


def test_a_gpu_that_it_does_not_name_makes_it_stale() -> None:
    [command] = _cdi(Cdi(young=True, enabled=True, has=frozenset({GPU}), shows={GPU, OTHER}))  # type: ignore[arg-type]
    assert f"systemctl restart {CDI}" in command
    assert f"{GPU} {OTHER}" in command


def test_an_instance_that_is_no_more_makes_it_stale_a_lost_gpu_does_not() -> None:
    shown = frozenset({GPU})
    assert _cdi(Cdi(young=True, enabled=True, has=frozenset({GPU, SLICE}), shows=shown))
    assert _cdi(Cdi(young=True, enabled=True, has=frozenset({GPU, OTHER}), shows=shown)) == []


def test_one_that_is_older_than_its_makers_is_stale_and_the_unit_runs_at_boot() -> None:
    enable, write = _cdi(Cdi(has=frozenset({GPU}), shows=frozenset({GPU})))
    assert enable == f"systemctl enable {CDI}"
    assert "does not name" in write


def test_what_the_host_says_of_it_is_read() -> None:
    output = [
        "young",
        "has=0",
        f'has="{GPU}"',
        f"has={SLICE}",
        f"shows=GPU 0: NVIDIA H100 80GB HBM3 (UUID: {GPU})",
        f"shows=GPU 1: NVIDIA H100 80GB HBM3 (UUID: {OTHER})",
        f"shows=  MIG 3g.40gb     Device  0: (UUID: {SLICE})",
    ]
    assert CdiState().process(output) == Cdi(
        young=True, has=frozenset({GPU, SLICE}), shows=frozenset({GPU, SLICE})
    )


# -- MIG -----------------------------------------------------------------------------------------


def _mig(said: str, unit: dict[str, str]) -> list[str]:
    host = FakeHost({MigLayout: said, UnitStates: {MIG: unit}})
    made = texts(host, mig_current._inner)
    assert manifest.of(host).units[MIG] == Unit(enabled=True)  # type: ignore[arg-type]
    return [" ".join(command.split()[:3]) for command in made]


def test_gpus_that_are_split_as_declared_are_left_alone() -> None:
    assert _mig(AS_DECLARED, {"UnitFileState": "enabled"}) == []


def test_a_unit_for_a_layout_that_is_no_longer_declared_goes() -> None:
    [command] = texts(FakeHost({UnitStates: {MIG: {"LoadState": "loaded"}}}), mig_gone._inner)
    assert command.startswith(f"systemctl disable {MIG}; rm -f /etc/systemd/system/{MIG}")
    none = FakeHost({UnitStates: {MIG: {"LoadState": "not-found"}}})
    assert texts(none, mig_gone._inner) == []


def test_a_layout_that_differs_or_is_not_known_is_left_to_the_unit() -> None:
    for said in ("GPU 0 has MIG off, should have 3g.40gb", "", "MIG: NVML does not answer"):
        assert _mig(said, {"UnitFileState": "enabled"}) == [f"systemctl restart {MIG}"]
    assert _mig(AS_DECLARED, {}) == [f"systemctl enable {MIG}"]
