"""The NVSwitch fabric: its manager, and each GPU's place in it."""

import msgspec
import pytest

from agent import conditions
from agent.checks.fabric import Fabric
from agent.model import CheckResult, Remedy, Status
from agent.sources.gpu import Gpu
from agent.sources.host import FABRIC_MANAGER, HostReading
from tests.agent.checks.boards import (
    A100_SXM,
    CONSUMER,
    H100_PCIE,
    H100_SXM,
    MIG_PARENT,
    WELL,
    Round,
    gpu,
    poll,
    said,
    spec,
)

OK, WARN, FAIL, UNKNOWN = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN
GOOD = H100_SXM.fabric_health or 0


def host(state: str | None, switches: int = 4) -> HostReading:
    units = {**WELL.units, FABRIC_MANAGER: state}
    told = {unit: word for unit, word in units.items() if word is not None}
    return msgspec.structs.replace(WELL, units=told, nvswitches=switches)


async def judged(seen: Gpu, where: HostReading | None) -> CheckResult:
    check = Fabric()
    return said(check.judge(await check.read(Round(nvml=poll(seen), host=where)), spec()), SUBJECT)


SUBJECT = "fabric:GPU-0"


@pytest.mark.parametrize(
    ("board", "state", "switches", "status"),
    [
        (H100_SXM, "active", 4, OK),
        (H100_SXM, "failed", 4, FAIL),
        (H100_SXM, "inactive", 4, FAIL),
        (H100_SXM, "", 4, FAIL),
        (H100_SXM, "activating", 4, OK),
        (H100_SXM, None, 4, OK),  # systemd did not answer
        (A100_SXM, "active", 6, OK),
        (A100_SXM, "failed", 6, FAIL),
        (H100_SXM, "", 0, OK),  # its manager runs elsewhere
        (H100_SXM, "inactive", 0, OK),
        (H100_SXM, "failed", 0, FAIL),  # NVLink 5: the switches are not on our bus
        (H100_PCIE, "", 0, OK),
        (H100_PCIE, "failed", 0, OK),
        (CONSUMER, "failed", 0, OK),
        (MIG_PARENT, "failed", 4, OK),
    ],
)
async def test_fabric_manager(board: Gpu, state: str | None, switches: int, status: Status) -> None:
    found = await judged(board, host(state, switches))
    assert (found.status, found.fatal) == (status, False)
    if status is FAIL:
        assert (found.reason, found.remedy) == ("FabricManagerDown", Remedy.DRAIN)
        assert (state or "not installed") in found.evidence


@pytest.mark.parametrize(
    ("state", "code", "mask", "status", "reason"),
    [
        (3, 0, GOOD, OK, "Ok"),
        (3, 0, 0, OK, "Ok"),  # this driver has no mask
        (3, 0, None, OK, "Ok"),
        (0, 999, None, OK, "Ok"),
        (None, None, None, OK, "Ok"),
        (1, 999, None, WARN, "FabricNotReady"),  # the status does not count yet
        (2, 0, None, WARN, "FabricNotReady"),
        (3, 999, GOOD, FAIL, "FabricFault"),  # "unknown error" is an error
        (3, 0, GOOD & ~0x3 | 1, WARN, "FabricDegraded"),
        (3, 0, GOOD & ~0xC | 1 << 2, WARN, "FabricRecovering"),
        (3, 0, GOOD & ~0x30 | 1 << 4, FAIL, "FabricRouteUnhealthy"),
        (3, 0, GOOD & ~0xC0 | 1 << 6, WARN, "FabricRecovering"),
        *((3, 0, GOOD & ~0xF00 | n << 8, FAIL, "FabricMisconfigured") for n in range(2, 9)),
        (3, 0, GOOD & ~0xF00, OK, "Ok"),
    ],
)
async def test_what_the_driver_tells_of_the_fabric(
    state: int | None, code: int | None, mask: int | None, status: Status, reason: str
) -> None:
    seen = gpu(H100_SXM, fabric_state=state, fabric_status=code, fabric_health=mask)
    found = await judged(seen, host("active"))
    assert (found.status, found.reason) == (status, reason)
    assert found.remedy is (Remedy.DRAIN if status is FAIL else Remedy.NONE)
    assert bool(found.evidence) is (status in {WARN, FAIL})


async def test_a_manager_that_was_down_stays_so_until_somebody_has_looked() -> None:
    streaks: conditions.Streaks = {}
    opened = []
    for where in (host("failed"), None, host("active")):
        streaks = conditions.update(streaks, [await judged(H100_SXM, where)], 1, 1, 0.0)
        opened.append([c.reason for c in conditions.opened(streaks)])
    assert opened == [["FabricManagerDown"], ["FabricManagerDown"], []]


async def test_the_driver_is_heard_though_the_host_was_not_read() -> None:
    found = await judged(gpu(H100_SXM, fabric_status=999), None)
    assert (found.status, found.reason) == (FAIL, "FabricFault")
