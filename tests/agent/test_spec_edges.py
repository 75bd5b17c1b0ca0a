"""What the control machine renders and what the node renders of the same spec is the same."""

from pathlib import Path

import pytest

from agent.errors import SpecError
from agent.spec import load
from tests.fleet.samples import spec


def test_a_spec_is_in_the_order_in_which_the_node_reads_it() -> None:
    engines = {
        "two": {"port": 8081, "served_name": "x", "environment": {"B": "1", "A": "2"}},
        "one": {"lora_adapters": {"z": "o/z@" + "d" * 40, "a": "o/a@" + "d" * 40}, "lora_rank": 8},
    }
    made = spec(
        driver_gpu_count=2,
        engines=engines,
        base_sysctl={"vm.swappiness": "10", "fs.file-max": None},
        runtime_daemon={"debug": True, "data-root": "/data"},
        check_xid={"79": "drain", "31": "none"},
    )
    assert list(made.engines) == ["one", "two"]
    assert repr(made) == repr(load(made.dump()))


def test_what_is_no_json_is_refused_by_its_key() -> None:
    with pytest.raises(SpecError, match=r"gpu-1: runtime_daemon: .*PosixPath.*becomes JSON"):
        spec(runtime_daemon={"data-root": Path("/data")})


def test_a_key_of_a_dict_that_is_no_string_is_named_too() -> None:
    with pytest.raises(SpecError, match=r"^gpu-1: runtime_daemon = \{1: 2\}: expected `str`"):
        spec(runtime_daemon={1: 2})
