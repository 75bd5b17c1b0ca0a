"""How machines are started, and when one that runs is out of date."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.sandbox import outer, recipes
from tests.sandbox.archive import Entry
from tests.sandbox.docker import CONFIG_LABEL
from tests.sandbox.dockerd import is_running
from tests.sandbox.files import identity
from tests.sandbox.layout import fleet_layout
from tests.sandbox.machine import Machine


@pytest.fixture
def machine() -> Machine:
    return Machine(
        layout=fleet_layout("demo", Path("/repository")),
        name="gpu-1",
        octet=11,
        image="image:1",
        binds={Path("/fleet/sim"): "/sim"},
        volumes={"stoker-demo-gpu-1-docker": "/var/lib/docker"},
        identity="keys-1",
        cgroup_version=1,
    )


def pairs(arguments: list[str]) -> list[tuple[str, str]]:
    return list(pairwise(arguments))


def test_a_machine_has_its_address_its_names_and_its_mounts(machine: Machine) -> None:
    arguments = pairs(machine.arguments())
    assert ("--name", "stoker-demo-gpu-1") in arguments
    assert ("--ip", "10.87.0.11") in arguments
    assert ("--network-alias", "gpu-1.sandbox") in arguments
    assert ("--volume", "/fleet/sim:/sim") in arguments
    assert ("--volume", "stoker-demo-gpu-1-docker:/var/lib/docker") in arguments
    assert ("--label", "stoker.fleet=demo") in arguments
    assert ("--restart", "unless-stopped") in arguments


def test_systemd_is_told_of_old_control_groups_only_where_they_are(machine: Machine) -> None:
    told = "SYSTEMD_PROC_CMDLINE"
    assert any(told in argument for argument in machine.arguments())
    modern = replace(machine, cgroup_version=2)
    assert not any(told in argument for argument in modern.arguments())


@pytest.mark.parametrize(
    "change", [{"image": "image:2"}, {"identity": "keys-2"}, {"octet": 12}, {"publish": ("1:1",)}]
)
def test_any_change_makes_a_running_machine_out_of_date(
    machine: Machine, change: dict[str, object]
) -> None:
    changed = replace(machine, **change)  # type: ignore[arg-type]
    assert changed.labels[CONFIG_LABEL] != machine.labels[CONFIG_LABEL]


def test_an_equal_machine_is_up_to_date(machine: Machine) -> None:
    assert replace(machine).labels == machine.labels


def test_the_identity_of_files_covers_content_and_mode() -> None:
    plain = {"/a": Entry(b"1")}
    assert identity(plain) == identity({"/a": Entry(b"1")})
    assert identity(plain) != identity({"/a": Entry(b"2")})
    assert identity(plain) != identity({"/a": Entry(b"1", 0o600)})


def test_an_image_is_named_after_all_that_went_into_it() -> None:
    base = recipes.Base("trixie", "curl")
    derived = recipes.Derived("host", base, "script", {"SEED": "nginx"})
    variants = [
        replace(derived, parent=recipes.Base("trixie", "curl,jq")),
        replace(derived, script="other"),
        replace(derived, environment={"SEED": "chrony"}),
    ]
    assert len({derived.reference, *(variant.reference for variant in variants)}) == 4
    assert derived.reference == replace(derived).reference


def test_hosts_take_over_how_mirrors_are_reached_and_nothing_else() -> None:
    dump = (
        'APT::Architecture "amd64";\n'
        'Acquire::http::Proxy "http://proxy.example";\n'
        'Acquire::Check-Date "false";\n'
        'Dir::Cache "var/cache/apt";\n'
    )
    assert outer.apt_settings(dump) == (
        'Acquire::http::Proxy "http://proxy.example";\nAcquire::Check-Date "false";\n'
    )


def test_a_recycled_process_id_is_no_docker_engine(tmp_path: Path) -> None:
    processes = {"10": ("dockerd", "S (sleeping)"), "11": ("bash", "R"), "12": ("dockerd", "Z")}
    for pid, (program, state) in processes.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "status").write_text(f"Name:\t{program}\nState:\t{state}\n")
    running = [pid for pid in ("10\n", "11", "12", "13") if is_running(pid, "dockerd", tmp_path)]
    assert running == ["10\n"]
