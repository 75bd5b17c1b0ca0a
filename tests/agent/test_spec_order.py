"""What the control machine renders and what the node renders of the same spec is the same."""

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
