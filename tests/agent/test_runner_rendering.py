import msgspec

from agent.engines import ENGINES
from agent.runner.rendering import settings
from tests.agent.engines.examples import EXAMPLES, GPUS, WEIGHTS

TGI = EXAMPLES["tgi-full"]
CONTAINER = ENGINES["tgi"].container(TGI, WEIGHTS, GPUS[:1])
RENDERED = settings(CONTAINER, "main", "0123", GPUS[:1])


def test_gpus_come_by_cdi_and_uuid() -> None:
    [request] = RENDERED["device_requests"]
    assert request == {
        "Driver": "cdi",
        "Count": 0,
        "DeviceIDs": [f"nvidia.com/gpu={GPUS[0]}"],
        "Capabilities": [],
        "Options": {},
    }
    assert settings(CONTAINER, "main", "0123", ())["device_requests"] == []


def test_reachable_from_this_host_only() -> None:
    assert RENDERED["ports"] == {"8080/tcp": ("127.0.0.1", 8081)}
    assert "network_mode" not in RENDERED


def test_weights_are_read_only() -> None:
    [mount] = RENDERED["mounts"]
    assert mount["ReadOnly"] is True
    assert mount["Source"] == WEIGHTS


def test_no_rights_and_bounds_on_everything() -> None:
    assert RENDERED["cap_drop"] == ["ALL"]
    assert RENDERED["cap_add"] == []
    assert RENDERED["security_opt"] == ["no-new-privileges"]
    assert RENDERED["ipc_mode"] == "private"
    assert RENDERED["pids_limit"] > 0
    assert RENDERED["mem_limit"] == RENDERED["memswap_limit"] == 64 << 30
    assert RENDERED["log_config"]["Config"]["max-size"]
    assert "privileged" not in RENDERED


def test_one_supervisor_and_a_real_init() -> None:
    assert RENDERED["restart_policy"] == {"Name": "no"}
    assert RENDERED["init"] is True
    bare = msgspec.structs.replace(CONTAINER, init=False)
    assert settings(bare, "main", "0123", GPUS[:1])["init"] is False


def test_can_be_found_again() -> None:
    assert RENDERED["name"] == "stoker-main"
    assert RENDERED["labels"] == {
        "stoker.engine": "main",
        "stoker.digest": "0123",
        "stoker.gpus": GPUS[0],
    }
