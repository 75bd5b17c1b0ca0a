"""Snapshots as the agent would publish them: a node that is well, and one with much to tell."""

import time

import msgspec

from agent.drift.report import Kind as DriftKind
from agent.drift.view import Drifted, DriftView
from agent.gateway_books import Ends
from agent.ladder import Attempt, Outcome, Step
from agent.model import Condition, EngineState, Goal, Phase, Remedy, Status
from agent.reports import Exit, ExitClass
from agent.snapshot import EngineView, GatewayView, Snapshot
from agent.sources.gpu import Gpu, Link, NvmlReading
from agent.xid.fault import Action, KernelFault, Kind
from agent.xid.incident import Closed, Incident, merged, opened, shut
from agent.xid.outcome import Verdict, outcome
from tests.agent.fakes import nvml

BUS = "00000000:00:00"  # of GPU-0 in `nvml()`


def snapshot(phase: Phase = Phase.SERVING, **facts: object) -> Snapshot:
    """A node with one engine in `phase`."""
    now = time.time()
    state = EngineState(
        phase=phase, since=now - 90, reason="Test", message="a test", last_start=9, gpus=("GPU-0",)
    )
    engine = EngineView(
        state=state,
        kind="vllm",
        model="org/a-model-with-quite-a-long-name-70B-Instruct-FP8",
        served_name="org/a-model-with-quite-a-long-name-70B-Instruct-FP8",
        port=8080,
        running=True,
        answering=True,
        requests_running=3,
        requests_waiting=1,
        gpus=("GPU-0",),
        restarts_left=3,
        advice=Remedy.NONE,
        capacity=1.0,
        digest="d",
        running_digest="d",
        running_since=10.0,
        last_exit=None,
        replicas_wanted=0.1,
        requests_running_max=256,
        kv_use_ratio=0.25,
        tokens_per_second=30.5,
        restarts_max=3,
    )
    known = {
        "node": "gpu-1",
        "phase": phase,
        "reason": "Test",
        "message": "engine main: a test",
        "remediation": "act",
        "engines": {"main": engine},
        "gpus": nvml(2, name="NVIDIA H100 80GB HBM3", temperature=41, power=73000),
        "gpus_problem": "",
        "conditions": (),
        "checks_unknown": (),
        "incidents": (),
        "incidents_closed": (),
        "steps": (),
        "attempts": (),
        "version": "0.1",
        "digest": "d",
        "at": now,
        "tick_seconds": 0.1,
    }
    return Snapshot(**{**known, **facts})  # type: ignore[arg-type]


def engine(shown: Snapshot, state: dict[str, object] | None = None, **facts: object) -> Snapshot:
    """The same snapshot, but for facts of its engine `main` and of that engine's state."""
    main = shown.engines["main"]
    fresh = msgspec.structs.replace(main.state, **(state or {}))
    changed = msgspec.structs.replace(main, state=fresh, **facts)
    return msgspec.structs.replace(shown, engines={**shown.engines, "main": changed})


def fault(xid: int = 79, **facts: object) -> KernelFault:
    """A fault of GPU-0 as the kernel tells it."""
    known = {"gpu": BUS, "at": 1000.0, "boot": "b", "text": f"NVRM: Xid (PCI:0000:00:00): {xid}"}
    return KernelFault(xid=xid, **{**known, **facts})  # type: ignore[arg-type]


def incident(name: str = "i-1", xid: int = 79, **facts: object) -> Incident:
    """An incident of GPU-0 that is not judged."""
    return opened(fault(xid, **facts), name, name)


def judged(one: Incident, remedy: Remedy) -> Incident:
    """The incident with a verdict."""
    return msgspec.structs.replace(one, verdict=verdict(one, remedy))


def verdict(one: Incident, remedy: Remedy) -> Verdict:
    return outcome(one.faults[0], remedy, "catalogue", "so the catalogue says")


def condition(**facts: object) -> Condition:
    """GPU-0 is lost."""
    known = {
        "check": "gpu_state",
        "subject": "gpu:GPU-0",
        "status": Status.FAIL,
        "reason": "GpuLost",
        "message": "GPU 0 is lost",
        "remedy": Remedy.QUARANTINE,
        "since": 1000.0,
        "evidence": "NVML answers 15",
    }
    return Condition(**{**known, **facts})  # type: ignore[arg-type]


def step(waits: str = "NotArmed", **facts: object) -> Step:
    """A reboot that is due."""
    known = {"rung": Remedy.REBOOT, "subject": "node", "reason": "Xid79", "message": "it fell off"}
    return Step(**{**known, "waits": waits, **facts})  # type: ignore[arg-type]


def attempt(**facts: object) -> Attempt:
    """A reset that is under way."""
    known = {
        "rung": Remedy.RESET,
        "subject": "gpu:GPU-0",
        "reason": "Xid48",
        "began": 900.0,
        "boot": "b",
    }
    return Attempt(**{**known, **facts})  # type: ignore[arg-type]


EXIT = Exit(
    engine="main",
    digest="d",
    kind=ExitClass.GPU,
    reason="CudaError",
    message="a CUDA error",
    code=1,
    lines=("RuntimeError: CUDA error", "\x1b[31mred\x1b[0m"),
    started=1.0,
    ended=2.0,
)
FULL = Gpu(
    index=1,
    uuid="GPU-1",
    pci="00000000:01:00.0",
    name="NVIDIA H100 80GB HBM3",
    memory_total=80 * 1024**3,
    memory_used=0,
    temperature=41,
    power=73000,
    utilisation=7,
    performance_state=0,
    recovery_action=1,
    clock_reasons=0x48,
    thermal_ns=1_500_000_000,
    brake_ns=0,
    ecc_uncorrected=1,
    ecc_corrected=12,
    sram_threshold=False,
    remap_pending=True,
    remap_failed=False,
    retired_pending=None,
    pcie_width=8,
    pcie_width_max=16,
    pcie_gen=5,
    pcie_gen_max=5,
    pcie_replays=3,
    links=(Link(number=0, active=True, errors=2), Link(number=1, active=False, errors=5)),
    fabric_state=3,
    fabric_status=0,
    persistence=True,
    mig=False,
    processes=(4242,),
)
LOST = Gpu(index=0, uuid="GPU-0", pci="00000000:00:00.0", error=15, error_text="GPU is lost")


def sick() -> Snapshot:
    """A node on which everything that a snapshot can hold has happened."""
    switch = incident("i-3", 12028, kind=Kind.SXID, gpu="00000000:05:00")
    contained = merged(incident("i-2", 94, pid=4242, process="VLLM::EngineCor"), fault(94, at=1001))
    done = shut(judged(contained, Remedy.RESTART), Closed.PROVEN, 1010.0)
    driver = incident("i-4", 154, former=Action.NONE, action=Action.GPU_RESET)
    attempts = (
        attempt(),
        attempt(rung=Remedy.REBOOT, subject="node", ended=950.0, outcome=Outcome.FAILED),
    )
    shown = snapshot(
        Phase.QUARANTINED,
        gpus=NvmlReading(driver="595.91.07", gpus=(LOST, FULL)),
        gpus_problem="the driver hangs",
        conditions=(condition(), condition(subject="gpu:GPU-9", remedy=Remedy.DRAIN, fatal=True)),
        checks_unknown=("gpu_count",),
        incidents=(judged(incident(), Remedy.QUARANTINE), switch, judged(driver, Remedy.RESET)),
        incidents_closed=(done,),
        steps=(step(), step("", rung=Remedy.QUARANTINE, subject="gpu:GPU-0")),
        attempts=attempts,
        log_gaps=2,
        gateway=GatewayView(
            certificate_expires=2000.0,
            requests=7,
            streams={"main": Ends(ended=3, broken=2)},
            deaf="no socket",
        ),
        drift=DriftView(
            checked=1100.0,
            release="20261128T000000Z-0123456789",
            left=(Drifted(what="firewall | load x", kind=DriftKind.NEVER, why="a person does it"),),
            since=1090.0,
            corrected=2,
            maintenance="new fans (mia, since 2026-11-28 00:00 UTC)",
        ),
    )
    goal: dict[str, object] = {"goal": Goal.QUARANTINE, "starts": (1.0, 2.0), "deadline": 3.0}
    return engine(
        shown,
        goal,
        last_exit=EXIT,
        running=False,
        answering=None,
        requests_running=None,
        advice=Remedy.RESTART,
        capacity=0.5,
        running_digest=None,
    )
