"""Nodes as the page may find them: well, draining, hung, quarantined, and quite strange ones."""

import math
import random
import time
from collections.abc import Iterator

import msgspec

from agent.attempts import Attempt, Outcome
from agent.drift.report import Kind as DriftKind
from agent.drift.view import Drifted, DriftView
from agent.gateway_books import Ends
from agent.model import Condition, EngineState, Goal, Phase, Remedy, Status
from agent.reports import Exit, ExitClass
from agent.snapshot import EngineView, GatewayView, Snapshot
from agent.sources.gpu import Gpu, Link, NvmlReading
from agent.xid.fault import Kind, Source
from agent.xid.incident import Closed, Evidence, Incident, opened
from agent.xid.outcome import Verdict
from tests.agent import shown

H100 = "NVIDIA H100 80GB HBM3"
GIB = 1024**3
UUIDS = tuple(f"GPU-{n:08x}-7a1e-4c55-9d0b-3f6f2a9c{n:04x}" for n in range(1, 9))
MODEL = "meta-llama/Llama-3.3-70B-Instruct"
FORGED = "<img src=x onerror=\"document.title='forged'\">"


def gpu(number: int, **facts: object) -> Gpu:
    """GPU `number` at work."""
    known: dict[str, object] = {
        "index": number,
        "uuid": UUIDS[number],
        "pci": f"00000000:{0x1B + number:02X}:00.0",
        "name": H100,
        "memory_total": 80 * GIB,
        "memory_used": round((71.3 + number * 0.1) * GIB),
        "temperature": 58 + (number * 5) % 11,
        "power": 512000 + number * 9000,
        "utilisation": 93 - number,
        "recovery_action": 0,
        "ecc_uncorrected": 0,
        "ecc_corrected": (3 * number) % 7,
        "pcie_width": 16,
        "pcie_width_max": 16,
        "pcie_gen": 5,
        "pcie_gen_max": 5,
        "pcie_replays": 0,
        "links": tuple(Link(number=link, active=True, errors=0) for link in range(18)),
        "processes": (4000 + number,),
    }
    return msgspec.convert({**known, **facts}, Gpu, from_attributes=True)


def engine(phase: Phase, gpus: tuple[int, ...], now: float, **facts: object) -> EngineView:
    """An engine in `phase`; `facts` are of it and, where they are its state's, of that."""
    uuids = tuple(UUIDS[one] for one in gpus)
    of_state = {key: facts.pop(key) for key in list(facts) if key in EngineState.__struct_fields__}
    state = {"phase": phase, "since": now - 268_000, "reason": "Answers", "gpus": uuids}
    state |= {"message": "it answers a chat completion", "last_start": now - 268_090, **of_state}
    known: dict[str, object] = {
        "kind": "vllm",
        "model": MODEL,
        "served_name": MODEL,
        "port": 8080,
        "running": True,
        "answering": True,
        "requests_running": 24,
        "requests_waiting": 2,
        "gpus": uuids,
        "restarts_left": 3,
        "restarts_max": 3,
        "advice": Remedy.NONE,
        "capacity": 1.0,
        "digest": "9f2c41d07be3a516",
        "running_digest": "9f2c41d07be3a516",
        "running_since": now - 268_090,
        "last_exit": None,
        "tokens_per_second": 1840.0,
        "kv_use_ratio": 0.62,
    }
    return EngineView(state=EngineState(**state), **{**known, **facts})  # type: ignore[arg-type]


def healthy(now: float | None = None, **facts: object) -> Snapshot:
    """Two engines on eight GPUs, all well."""
    at = now or time.time()
    known: dict[str, object] = {
        "engines": {
            "chat": engine(Phase.SERVING, (0, 1, 2, 3), at),
            "code": engine(
                Phase.SERVING,
                (4, 5, 6, 7),
                at,
                model="Qwen/Qwen2.5-Coder-32B-Instruct",
                served_name="Qwen/Qwen2.5-Coder-32B-Instruct",
                kind="sglang",
                port=8081,
                requests_running=7,
                requests_waiting=0,
                tokens_per_second=612.0,
                kv_use_ratio=0.31,
            ),
        },
        "reason": "Answers",
        "message": "engine chat: it answers a chat completion",
        "gpus": NvmlReading(driver="595.91.07", gpus=tuple(gpu(n) for n in range(8))),
        "incidents_closed": (contained(at - 61_000),),
        "gateway": GatewayView(
            certificate_expires=at + 61 * 86400,
            requests=1_204_318,
            streams={"chat": Ends(ended=412), "code": Ends(ended=97)},
        ),
        "drift": DriftView(checked=at - 740, release="20261128T020511Z-5b1e9c0f27"),
        "version": "0.7.0",
        "digest": "9f2c41d07be3a516",
        "at": at,
        "tick_seconds": 0.041,
    }
    return shown.snapshot(**{**known, **facts})  # type: ignore[arg-type]


def contained(at: float) -> Incident:
    """A contained error that ended with a restart of the engine."""
    text = "NVRM: Xid (PCI:0000:1d:00): 94, pid=4002, name=VLLM::Worker, Contained: SM (0x1)."
    told = shown.fault(94, gpu="00000000:1d:00", at=at, text=text, pid=4002)
    one = opened(told, "i-20261127-1", "i-20261127-1")
    verdict = Verdict(
        gpu=told.gpu,
        remedy=Remedy.RESTART,
        status=Status.FAIL,
        reason="ContainedEcc",
        message="Xid 94 on GPU 00000000:1d:00: restart the engine (the error was contained)",
        rule="catalogue",
    )
    return msgspec.structs.replace(
        one, verdict=verdict, closed=Closed.PROVEN, closed_at=at + 190, ours=True
    )


def draining(now: float | None = None) -> Snapshot:
    """A person has drained `chat`; eleven requests are in flight."""
    at = now or time.time()
    node = healthy(at)
    out = engine(
        Phase.DRAINING,
        (0, 1, 2, 3),
        at,
        since=at - 22,
        reason="Requested",
        message="drained by mia: replace a fan",
        by="mia",
        goal=Goal.MAINTENANCE,
        deadline=at + 98,
        requests_running=11,
        requests_waiting=0,
        tokens_per_second=820.0,
        kv_use_ratio=0.28,
    )
    return msgspec.structs.replace(
        node,
        phase=Phase.DRAINING,
        reason="Requested",
        message="engine chat: drained by mia: replace a fan",
        engines={**node.engines, "chat": out},
    )


def hung(now: float | None = None) -> Snapshot:
    """`chat` does nothing any more, and is started again."""
    at = now or time.time()
    node = healthy(at)
    said = "the engine is hung: no step for 62 s with 26 pending, and a probe is not answered"
    out = engine(
        Phase.STARTING,
        (0, 1, 2, 3),
        at,
        since=at - 4,
        reason="EngineHung",
        message=said,
        starts=(at - 4,),
        restarts_left=2,
        answering=False,
        tokens_per_second=0.0,
        kv_use_ratio=None,
        requests_running=24,
    )
    found = Condition(
        check="engine_progress",
        subject="engine:chat",
        status=Status.FAIL,
        reason="EngineHung",
        message=said,
        remedy=Remedy.RESTART,
        since=at - 5,
        fatal=True,
        evidence="steps 88213, 26 pending, probe unanswered for 10.0 s",
    )
    return msgspec.structs.replace(
        node,
        phase=Phase.STARTING,
        reason="EngineHung",
        message=f"engine chat: {said}",
        engines={**node.engines, "chat": out},
        conditions=(found,),
    )


def quarantined(now: float | None = None) -> Snapshot:
    """GPU 2 fell off the bus under `chat`."""
    at = now or time.time()
    node = healthy(at)
    bus = "00000000:1d:00"
    lines = (
        f"NVRM: Xid (PCI:{bus[4:]}): 79, pid='<unknown>', GPU has fallen off the bus.",
        f"NVRM: GPU {bus}.0: GPU has fallen off the bus.",
        "NVRM: A GPU crash dump has been created.",
    )
    told = shown.fault(79, gpu=bus, at=at - 251, text=lines[0])
    fell = msgspec.structs.replace(
        opened(told, "i-20261128-1", "i-20261128-1"),
        count=3,
        last=at - 250,
        evidence=tuple(
            Evidence(at=at - 251 + n / 3, source=Source.KERNEL, seq=8120 + n, text=line)
            for n, line in enumerate(lines)
        ),
        ours=True,
        suspect=True,
        verdict=Verdict(
            gpu=bus,
            remedy=Remedy.QUARANTINE,
            status=Status.FAIL,
            reason="GpuFellOff",
            message=f"Xid 79 on GPU {bus}: out of service until a person has looked at it "
            "(a reboot within the day did not help)",
            rule="repeated",
            hands_off=True,
        ),
    )
    out = engine(
        Phase.QUARANTINED,
        (0, 1, 2, 3),
        at,
        since=at - 246,
        reason="GpuFellOff",
        message="GPU 2 has fallen off the bus",
        goal=Goal.QUARANTINE,
        running=False,
        answering=None,
        requests_running=0,
        requests_waiting=0,
        tokens_per_second=None,
        kv_use_ratio=None,
        restarts_left=3,
        capacity=0.0,
        running_digest=None,
        running_since=None,
        last_exit=Exit(
            engine="chat",
            digest="9f2c41d07be3a516",
            kind=ExitClass.GPU,
            reason="CudaError",
            message="a CUDA error: the GPU does not answer any more",
            code=1,
            lines=(
                "(VllmWorker TP2 pid=4002) ERROR CUDA error: unspecified launch failure",
                "torch.AcceleratorError: CUDA error: unspecified launch failure",
            ),
            started=at - 268_090,
            ended=at - 248,
        ),
    )
    lost = gpu(2, error=15, error_text="GPU is lost", links=(), processes=None)
    found = Condition(
        check="gpu_state",
        subject=f"gpu:{UUIDS[2]}",
        status=Status.FAIL,
        reason="GpuLost",
        message="GPU 2 is lost",
        remedy=Remedy.QUARANTINE,
        since=at - 251,
        fatal=True,
        evidence="NVML answers 15 (GPU is lost); the device is missing in /sys/bus/pci",
    )
    assert node.gpus is not None
    rebooted = Attempt(
        rung=Remedy.REBOOT,
        subject="node",
        reason="GpuFellOff",
        began=at - 9400,
        ended=at - 9120,
        boot="b",
        outcome=Outcome.FAILED,
        message="it did not help: GPU 2 is lost",
    )
    return msgspec.structs.replace(
        node,
        phase=Phase.QUARANTINED,
        reason="GpuFellOff",
        message="engine chat: GPU 2 has fallen off the bus",
        engines={**node.engines, "chat": out},
        conditions=(found,),
        incidents=(fell,),
        attempts=(rebooted,),
        gpus=msgspec.structs.replace(
            node.gpus, gpus=(*node.gpus.gpus[:2], lost, *node.gpus.gpus[3:])
        ),
        drift=msgspec.structs.replace(
            node.drift,
            left=(
                Drifted(
                    what="driver | hold nvidia-open",
                    kind=DriftKind.NEVER,
                    why="the driver is never changed by a check; a person does it",
                ),
            ),
            since=at - 7300,
        ),
    )


def strange(now: float | None = None) -> Snapshot:
    """Everything that can be said at once, and texts that would be markup."""
    at = now or time.time()
    node = shown.sick()
    main = msgspec.structs.replace(
        node.engines["main"], served_name=FORGED, model=FORGED, gate_problem=f"no {FORGED}"
    )
    sxid = shown.incident("i-9", 12028, kind=Kind.SXID, gpu="", text=FORGED)
    return msgspec.structs.replace(
        node,
        at=at,
        message=f"engine main: {FORGED}",
        engines={"main": main},
        incidents=(*node.incidents, sxid),
        conditions=(*node.conditions, shown.condition(message=FORGED, evidence=FORGED)),
    )


def past(last: Snapshot, seed: int = 7) -> Iterator[Snapshot]:
    """A quarter of an hour that led to `last`, a snapshot every five seconds."""
    chance = random.Random(seed)
    steps = 178
    now = last.at
    well = healthy(now)
    for number in range(steps):
        at = now - 900 + 5 * (number + 1)
        wave = 0.75 + 0.2 * math.sin(number / 19) + chance.uniform(-0.07, 0.07)
        rush = 1.0 if 96 < number < 118 else 0.0
        engines = {
            name: msgspec.structs.replace(
                one,
                requests_running=round((one.requests_running or 0) * wave + 4 * rush),
                requests_waiting=round(chance.uniform(0, 2) + 21 * rush * chance.random()),
                tokens_per_second=1900 * wave * (1.0 if name == "chat" else 0.33),
                kv_use_ratio=min(1.0, 0.5 * wave + 0.3 * rush + 0.1),
            )
            for name, one in well.engines.items()
        }
        assert well.gpus is not None
        gpus = tuple(
            msgspec.structs.replace(
                one,
                utilisation=round(min(100, (one.utilisation or 0) * (0.86 + 0.2 * wave))),
                temperature=round((one.temperature or 0) - 6 + 8 * wave),
                power=round((one.power or 0) * (0.5 + wave / 2)),
            )
            for one in well.gpus.gpus
        )
        reading = msgspec.structs.replace(well.gpus, gpus=gpus)
        yield msgspec.structs.replace(well, at=at, engines=engines, gpus=reading)
