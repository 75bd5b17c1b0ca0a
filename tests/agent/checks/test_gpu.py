"""What the driver says of each GPU: lost, to be reset, its own verdict; and who is not there."""

import msgspec
import pytest

from agent import conditions
from agent.checks.base import Check
from agent.checks.gpu_count import Counts, GpuCount, missed
from agent.checks.gpu_recovery import GpuRecovery
from agent.checks.gpu_state import GpuState
from agent.model import AGENT, EngineState, Goal, Phase, Remedy, Status
from agent.reports import Started
from agent.sources import Reading
from agent.sources.gpu import Gpu, NvmlReading
from tests.agent.checks.boards import A100_SXM, EMPTY, NO_GPU, Round, gpu, poll, said, spec
from tests.agent.fakes import look

TWO = spec(2)


@pytest.mark.parametrize(
    ("code", "status", "reason", "remedy", "fatal"),
    [
        (None, Status.OK, "Ok", Remedy.NONE, False),
        (15, Status.FAIL, "GpuLost", Remedy.REBOOT, True),
        (16, Status.FAIL, "GpuResetRequired", Remedy.RESET, False),
        (999, Status.UNKNOWN, "CannotLook", Remedy.NONE, False),
        (10, Status.UNKNOWN, "CannotLook", Remedy.NONE, False),
        (4, Status.UNKNOWN, "CannotLook", Remedy.NONE, False),
    ],
)
def test_gpu_state(
    code: int | None, status: Status, reason: str, remedy: Remedy, fatal: bool
) -> None:
    sick = gpu(error=code, error_text="text" if code else "")
    found = said(GpuState().judge(poll(sick), spec()), "gpu:GPU-0")
    assert (found.status, found.reason, found.remedy) == (status, reason, remedy)
    assert (found.fatal, found.certain) == (fatal, status is Status.FAIL)
    assert (str(code) in found.evidence) is (status is Status.FAIL)


def test_gpu_state_of_a_gpu_that_was_not_called_is_unknown() -> None:
    found = GpuState().judge(poll(gpu(EMPTY, error_text="not called: it hangs")), spec())
    assert found[0].status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("action", "status", "reason", "remedy", "subject"),
    [
        (None, Status.OK, "Ok", Remedy.NONE, "gpu:GPU-0"),
        (0, Status.OK, "Ok", Remedy.NONE, "gpu:GPU-0"),
        (1, Status.FAIL, "DriverWantsReset", Remedy.RESET, "gpu:GPU-0"),
        (2, Status.FAIL, "DriverWantsReboot", Remedy.REBOOT, "gpu:GPU-0"),
        (3, Status.FAIL, "DriverWantsDrain", Remedy.DRAIN, "fabric:GPU-0"),
        (4, Status.FAIL, "DriverWantsReset", Remedy.RESET, "gpu:GPU-0"),
        (5, Status.WARN, "ImexDomain", Remedy.NONE, "gpu:GPU-0"),
        (6, Status.FAIL, "DriverWantsReset", Remedy.RESET, "gpu:GPU-0"),
        (7, Status.FAIL, "DriverWantsReboot", Remedy.REBOOT, "gpu:GPU-0"),
        (8, Status.WARN, "UnknownRecovery", Remedy.NONE, "gpu:GPU-0"),
    ],
)
def test_gpu_recovery(
    action: int | None, status: Status, reason: str, remedy: Remedy, subject: str
) -> None:
    (found,) = GpuRecovery().judge(poll(gpu(recovery_action=action)), spec())
    assert (found.subject, found.status, found.reason) == (subject, status, reason)
    assert (found.remedy, found.certain) == (remedy, status is Status.FAIL)
    assert (str(action) in found.evidence) is (status in {Status.FAIL, Status.WARN})


def test_what_the_driver_asks_for_counts_though_the_rest_was_not_read() -> None:
    lost = gpu(EMPTY, error=16, error_text="reset required", recovery_action=1)
    (found,) = GpuRecovery().judge(poll(lost), spec())
    assert (found.status, found.remedy) == (Status.FAIL, Remedy.RESET)


def test_the_driver_takes_back_what_it_asked_for() -> None:
    check, streaks = GpuRecovery(), conditions.update({}, [], 2, 1, 0.0)
    states = []
    for action in (1, None, 0):
        seat = gpu(error=999, error_text="odd") if action is None else gpu(recovery_action=action)
        seat = seat if action is not None else gpu(seat, recovery_action=None)
        streaks = conditions.update(streaks, check.judge(poll(seat), spec()), 2, 1, 0.0)
        states.append([c.reason for c in conditions.opened(streaks)])
    assert states == [["DriverWantsReset"], ["DriverWantsReset"], []]


@pytest.mark.parametrize("check", [GpuState(), GpuRecovery()])
def test_a_driver_that_is_blind_judges_no_gpu(check: Check[NvmlReading]) -> None:
    reading = NvmlReading(error=18, error_text="Driver/library version mismatch")
    (found,) = check.judge(reading, spec())
    assert (found.subject, found.status) == ("node", Status.UNKNOWN)
    assert check.judge(reading, NO_GPU) == []


LOST_AND_NAMELESS = (Gpu(index=0, error=15, error_text="lost"), Gpu(index=1, uuid="GPU-1"))


@pytest.mark.parametrize(
    ("reading", "kept"),
    [
        (poll(gpu()), "gpu:GPU-1"),  # not even listed any more
        (NvmlReading(gpus=LOST_AND_NAMELESS), "gpu:GPU-0"),
    ],
)
@pytest.mark.parametrize("check", [GpuState(), GpuRecovery()])
def test_a_gpu_that_does_not_tell_its_name_keeps_its_fault(
    check: Check[NvmlReading], reading: NvmlReading, kept: str
) -> None:
    sick = gpu(error=16, error_text="reset required", recovery_action=1)
    streaks = conditions.update({}, check.judge(poll(sick, sick), TWO), 1, 1, 0.0)
    streaks = conditions.update(streaks, check.judge(reading, TWO), 1, 1, 1.0)
    assert kept in {c.subject for c in conditions.opened(streaks)}


def test_a_gpu_that_is_back_loses_its_fault() -> None:
    streaks: conditions.Streaks = {}
    sick = gpu(error=16, error_text="reset required")
    for reading in (poll(sick, sick), poll(gpu()), poll(gpu(), gpu())):
        streaks = conditions.update(streaks, GpuState().judge(reading, TWO), 1, 1, 0.0)
    assert conditions.opened(streaks) == ()


@pytest.mark.parametrize(
    ("on_bus", "listed", "status"),
    [
        (2, 2, Status.OK),
        (1, 2, Status.FAIL),
        (2, 1, Status.FAIL),
        (1, None, Status.FAIL),
        (2, None, Status.UNKNOWN),
        (None, 2, Status.UNKNOWN),
        (None, None, Status.UNKNOWN),
        (3, 3, Status.OK),
    ],
)
def test_gpu_count(on_bus: int | None, listed: int | None, status: Status) -> None:
    reading = Counts(on_bus=on_bus, listed=listed, named=frozenset({"GPU-7"}))
    found = said(GpuCount().judge(reading, TWO), "node")
    assert (found.status, found.remedy) == (status, Remedy.NONE)
    assert found.reason == {Status.FAIL: "GpuMissing", Status.OK: "Ok"}.get(status, "CannotLook")
    assert ("GPU-7" in found.evidence) is (status is Status.FAIL)


def test_gpu_count_does_not_mind_a_host_without_gpus() -> None:
    assert said(GpuCount().judge(Counts(), NO_GPU), "node").status is Status.OK


def holding(*uuids: str, running: bool = True) -> dict[str, Reading[object]]:
    started = Started(engine="main", digest="d", container="c", gpus=uuids, started=1.0)
    looked = look(running=running, started=started)
    return {"main": Reading(looked), "other": Reading(None, "systemd is silent")}


@pytest.mark.parametrize(
    ("reading", "status"),
    [
        (poll(gpu(), gpu()), Status.OK),
        (poll(gpu(), gpu(error=15, error_text="lost")), Status.OK),  # told by gpu_state
        (poll(gpu()), Status.FAIL),
        (NvmlReading(), Status.FAIL),
        (NvmlReading(gpus=(gpu(), Gpu(index=1, error=15, error_text="lost"))), Status.FAIL),
        (NvmlReading(gpus=(gpu(), Gpu(index=1, error=999, error_text="odd"))), Status.UNKNOWN),
        (NvmlReading(error=9, error_text="not loaded"), Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
)
async def test_a_gpu_that_goes_without_a_word_is_missed_by_its_engine(
    reading: NvmlReading | None, status: Status
) -> None:
    sources = Round(nvml=reading, pci=2, engines=holding("GPU-1"))  # type: ignore[arg-type]
    found = said(GpuCount().judge(await GpuCount().read(sources), TWO), "gpu:GPU-1")
    assert (found.status, found.fatal) == (status, status is Status.FAIL)
    if status is Status.FAIL:
        assert (found.reason, found.remedy) == ("GpuVanished", Remedy.REBOOT)
        assert not found.certain  # a driver that is being loaded counts its GPUs up
        assert "GPU-1" in found.message


def remembered(phase: Phase, goal: Goal | None, by: str, reason: str) -> EngineState:
    state = EngineState(since=1, reason=reason, message="", phase=phase, goal=goal, by=by)
    return msgspec.structs.replace(state, gpus=("GPU-1",))


@pytest.mark.parametrize(
    ("phase", "goal", "certain"),
    [
        (Phase.SERVING, None, False),  # it could not be looked at in this round
        (Phase.DRAINING, Goal.FAULT, False),
        (Phase.DRAINED, Goal.FAULT, True),
    ],
)
async def test_a_gpu_is_missed_though_its_engine_was_stopped_for_that(
    phase: Phase, goal: Goal | None, certain: bool
) -> None:
    sources = Round(nvml=poll(gpu()), pci=2, engines=holding("GPU-1", running=False))  # type: ignore[arg-type]
    sources.missed = missed({"main": remembered(phase, goal, AGENT, "GpuVanished")})
    found = said(GpuCount().judge(await GpuCount().read(sources), TWO), "gpu:GPU-1")
    assert (found.reason, found.remedy, found.certain) == ("GpuVanished", Remedy.REBOOT, certain)


@pytest.mark.parametrize(
    ("phase", "goal", "by", "reason"),
    [
        (Phase.STARTING, None, AGENT, "GpuVanished"),  # it may get others
        (Phase.QUARANTINED, None, AGENT, "GpuVanished"),
        (Phase.DRAINED, Goal.MAINTENANCE, "ann", "Drained"),
        (Phase.DRAINED, Goal.FAULT, AGENT, "Xid48GpuEccDbe"),  # a reset hides it for a while
    ],
)
def test_no_gpu_is_missed_for_an_engine_that_is_out_otherwise(
    phase: Phase, goal: Goal | None, by: str, reason: str
) -> None:
    assert missed({"main": remembered(phase, goal, by, reason)}) == {}


async def test_an_engine_that_does_not_run_misses_no_gpu() -> None:
    engines = holding("GPU-9", running=False)
    sources = Round(nvml=poll(gpu(A100_SXM)), pci=1, engines=engines)  # type: ignore[arg-type]
    found = GpuCount().judge(await GpuCount().read(sources), spec())
    assert [(r.subject, r.status) for r in found] == [("node", Status.OK)]
