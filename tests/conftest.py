"""Async tests run on asyncio, as the agent does. Slow ones are known by their file."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


# Whole simulated engines and GPUs in processes of their own, and long walks.
SLOW = (
    "tests/sandbox/test_",
    "tests/agent/brake/test_etcd",
    "tests/agent/engines/test_real_parsers",
    "tests/agent/test_agentcheck",
    "tests/agent/test_crash_points",
    "tests/agent/test_engine_hangs",
    "tests/agent/test_engine_sim",
    "tests/agent/test_fleetlock",
    "tests/agent/test_ladder_walks",
    "tests/agent/test_nvml_",
    "tests/agent/test_openapi",
    "tests/agent/test_units",
    "tests/agent/test_weights_hub",
    "tests/docs/test_commands",
    "tests/docs/test_site",
    "tests/fleet/commands/test_local",
    "tests/fleet/dashboard/test_command",
    "tests/fleet/driver/test_look",
    "tests/fleet/doctor/test_command",
    "tests/fleet/kubernetes/test_schemas",
    "tests/fleet/monitoring/test_prometheus",
    "tests/fleet/monitoring/test_rules",
    "tests/fleet/test_balancer_haproxy",
    "tests/fleet/plan/test_command",
    "tests/fleet/scaling/test_cli",
    "tests/fleet/test_models_lock",
    "tests/fleet/test_rehearsal",
    "tests/fleet/test_weights_operation",
    "tests/page/test_chromium",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make check` leaves to `make test`."""
    for item in items:
        if any(slow in item.path.as_posix() for slow in SLOW):
            item.add_marker(pytest.mark.slow)
