from typing import Any

import msgspec
import pytest

from agent.engines import ENGINES
from agent.runner import network
from agent.runner.rendering import settings
from tests.agent.engines.examples import EXAMPLES, GPUS, WEIGHTS, engine

TGI = EXAMPLES["tgi-full"]
CONTAINER = ENGINES["tgi"].container(TGI, WEIGHTS, GPUS[:1])
CACHE = "/var/lib/stoker/engines/main/cache/0123"
RENDERED = settings(CONTAINER, "main", "0123", GPUS[:1], CACHE)


def test_gpus_come_by_cdi_and_uuid() -> None:
    [request] = RENDERED["device_requests"]
    assert request == {
        "Driver": "cdi",
        "Count": 0,
        "DeviceIDs": [f"nvidia.com/gpu={GPUS[0]}"],
        "Capabilities": [],
        "Options": {},
    }
    assert settings(CONTAINER, "main", "0123", (), CACHE)["device_requests"] == []


def test_no_default_runtime_of_the_host_adds_gpus() -> None:
    assert RENDERED["runtime"] == "runc"


def test_reachable_from_this_host_only() -> None:
    assert RENDERED["ports"] == {"8080/tcp": ("127.0.0.1", 8081)}
    assert "network_mode" not in RENDERED


def test_no_other_container_reaches_it() -> None:
    assert RENDERED["network"] == network.SETTINGS["name"]
    assert network.SETTINGS["options"]["com.docker.network.bridge.enable_icc"] == "false"
    assert not network.SETTINGS.get("internal")  # Docker would publish no port


def test_it_writes_to_its_cache_and_to_memory_alone() -> None:
    weights, cache = RENDERED["mounts"]
    assert (weights["Source"], weights["ReadOnly"]) == (WEIGHTS, True)
    assert (cache["Source"], cache["Target"]) == (CACHE, "/cache")
    assert not cache.get("ReadOnly")
    assert RENDERED["read_only"] is True
    assert RENDERED["tmpfs"].keys() == {"/tmp", "/usr/src/out"}
    # What is compiled there is loaded from there.
    assert all("noexec" not in options for options in RENDERED["tmpfs"].values())


@pytest.mark.parametrize(("kind", "user"), [("vllm", "2000:0"), ("tgi", "0:0"), ("sglang", "0:0")])
def test_it_runs_as_a_user_that_its_image_allows(kind: str, user: str) -> None:
    def rendered(**changes: object) -> dict[str, Any]:
        spec = engine(kind, **changes)
        made = ENGINES[kind].container(spec, WEIGHTS, GPUS[:1])
        return settings(made, "main", "0123", GPUS[:1], CACHE)

    assert rendered()["user"] == user
    assert rendered(user="1234:5")["user"] == "1234:5"
    assert rendered(read_only=False)["read_only"] is False


@pytest.mark.parametrize(("gpus", "pids", "limit"), [(0, None, 4096), (8, None, 32768), (8, 9, 9)])
def test_processes_are_bounded_by_the_number_of_gpus(
    gpus: int, pids: int | None, limit: int
) -> None:
    made = ENGINES["vllm"].container(engine("vllm", gpus=gpus, pids=pids), WEIGHTS, ())
    assert made.processes == limit


def test_no_rights_and_bounds_on_everything() -> None:
    assert RENDERED["cap_drop"] == ["ALL"]
    assert RENDERED["cap_add"] == []
    assert RENDERED["security_opt"] == ["no-new-privileges"]
    assert RENDERED["ipc_mode"] == "private"
    assert RENDERED["pids_limit"] == 4096
    assert RENDERED["mem_limit"] == RENDERED["memswap_limit"] == 64 << 30
    assert RENDERED["log_config"]["Config"]["max-size"]
    assert "privileged" not in RENDERED


def test_one_supervisor_and_a_real_init() -> None:
    assert RENDERED["restart_policy"] == {"Name": "no"}
    assert RENDERED["init"] is True
    bare = msgspec.structs.replace(CONTAINER, init=False)
    assert settings(bare, "main", "0123", GPUS[:1], CACHE)["init"] is False


def test_can_be_found_again() -> None:
    assert RENDERED["name"] == "stoker-main"
    assert RENDERED["labels"] == {
        "stoker.engine": "main",
        "stoker.digest": "0123",
        "stoker.gpus": GPUS[0],
    }
