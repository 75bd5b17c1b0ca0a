"""The manifest: by looking in a deploy, by the release on a node that converges by itself."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from agent.drift.manifest import File, Manifest
from fleet import manifest as collected
from fleet.facts.paths import PathStates
from fleet.facts.units import UnitStates
from fleet.operations.manifest import manifest
from fleet.release import given
from tests.fleet.samples import FakeHost, commands, on

WAS = File(sha256="a" * 64, mode="644", user="root", group="root")
NOW = File(sha256="b" * 64, mode="666", user="root", group="root")
OWN, OURS = "/usr/lib/systemd/system/n.service", "/etc/systemd/system/n.service.d/stoker.conf"
THEIRS = "/etc/systemd/system/n.service.d/zz.conf"
UNIT = {"FragmentPath": OWN, "DropInPaths": f"{THEIRS} {OURS}"}


def written(host: FakeHost) -> dict[str, dict[str, object]]:
    with on(host):
        found = collected.of(host)  # type: ignore[arg-type]
        found.measured.add("/k.asc")
        found.composed.add("n.service")
    [command] = commands(host, manifest._inner)
    return dict(json.loads(str(command.connector_arguments["_stdin"])))


def host() -> FakeHost:
    def paths(paths: list[str]) -> dict[str, File]:
        return {"/k.asc": NOW} if "/k.asc" in paths else {}

    return FakeHost({PathStates: paths, UnitStates: {"n.service": UNIT}})


def test_a_deploy_takes_down_what_it_finds() -> None:
    made = written(host())
    assert made["files"]["/k.asc"] == msgspec.to_builtins(NOW)
    assert made["composed"]["n.service"] == [OWN, OURS, THEIRS]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release that this machine has converged to."""
    former = Manifest(files={"/k.asc": WAS}, composed={"n.service": (OWN, OURS)})
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(former))
    return tmp_path


def test_a_node_does_not_take_for_wanted_what_was_changed_since(release: Path) -> None:
    before = os.environ.get(given.VARIABLE)
    os.environ[given.VARIABLE] = str(release)
    try:
        made = written(host())
    finally:
        os.environ.pop(given.VARIABLE)
        if before is not None:
            os.environ[given.VARIABLE] = before
    assert made["files"]["/k.asc"] == msgspec.to_builtins(WAS)
    assert made["composed"]["n.service"] == [OWN, OURS]
