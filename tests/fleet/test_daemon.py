import json

import pytest

from fleet.daemon import DaemonError, merge, text
from tests.fleet.samples import spec


def test_what_is_there_stays_unless_it_is_ours() -> None:
    there = '{"data-root": "/nvme", "ip": "0.0.0.0", "log-opts": {"tag": "x"}}'
    found = json.loads(text(there, spec()))
    assert found["data-root"] == "/nvme"
    assert found["ip"] == "127.0.0.1"
    assert found["log-opts"] == {"tag": "x", "max-size": "50m", "max-file": "5"}
    assert found["live-restore"] is True


def test_the_operator_has_the_last_word_and_can_take_a_key_out() -> None:
    wish = {"default-ulimits": None, "features": {"buildkit": True}, "log-driver": "journald"}
    found = json.loads(text("", spec(runtime_daemon=wish)))
    assert "default-ulimits" not in found
    assert found["features"] == {"cdi": True, "buildkit": True}
    assert found["log-driver"] == "journald"


def test_docker_is_more_patient_than_an_engine() -> None:
    found = json.loads(text("", spec(engine_drain_deadline=500)))
    assert found["shutdown-timeout"] > 500


def test_merging_again_changes_nothing() -> None:
    once = text('{"a": 1}', spec())
    assert text(once, spec()) == once


def test_a_broken_file_is_not_overwritten() -> None:
    with pytest.raises(DaemonError, match="repair or remove it"):
        text("{", spec())


@pytest.mark.parametrize("there", ["[]", '"x"', "1"])
def test_a_file_that_holds_something_else_is_not_overwritten(there: str) -> None:
    with pytest.raises(DaemonError, match="repair or remove it"):
        text(there, spec())


def test_nvidias_runtime_is_no_longer_the_default_and_can_still_be_named() -> None:
    runtimes = {"nvidia": {"path": "nvidia-container-runtime"}}
    there = json.dumps({"default-runtime": "nvidia", "runtimes": runtimes})
    found = json.loads(text(there, spec()))
    assert "default-runtime" not in found
    assert found["runtimes"] == runtimes
    wish = {"default-runtime": "nvidia"}
    assert json.loads(text(there, spec(runtime_daemon=wish)))["default-runtime"] == "nvidia"
    other = json.loads(text('{"default-runtime": "crun"}', spec()))
    assert other["default-runtime"] == "crun"


def test_merge_leaves_its_arguments_alone() -> None:
    below = {"a": {"b": 1}}
    merge(below, {"a": {"c": 2}})
    assert below == {"a": {"b": 1}}
