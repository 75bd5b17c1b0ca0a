"""A snapshot as text for people, at most 100 columns wide."""

import textwrap
from collections.abc import Iterable, Iterator

from agent.drift.view import DriftView
from agent.model import Remedy
from agent.snapshot import EngineView, Snapshot
from agent.waits import sentences
from agent.xid.incident import Incident

GIB = 1024**3
WIDTH = 100


def status(snapshot: Snapshot, now: float) -> str:
    """Return the screen that `stokerctl status` prints."""
    head = f"{snapshot.node}: {snapshot.phase}  {snapshot.reason}"
    lines = [head, f"  {snapshot.message}", ""]
    for name, engine in snapshot.engines.items():
        lines += _engine(name, engine, now)
    lines += _gpus(snapshot)
    for condition in snapshot.conditions:
        lines.append(f"! {condition.subject} {condition.reason}: {condition.message}")
    lines += [_incident(one) for one in snapshot.incidents]
    lines += _due(snapshot)
    lines += _drift(snapshot.drift)
    if snapshot.slots and snapshot.slots.name:
        lines.append(f"holds a slot of the fleet brake: {', '.join(snapshot.slots.got) or 'asked'}")
    if snapshot.checks_unknown:
        lines.append(f"? cannot look: {', '.join(snapshot.checks_unknown)}")
    stale = now - snapshot.at
    if stale > 10:
        lines.append(f"? this is {stale:.0f} s old: the agent's loop does not turn")
    return fit(lines)


def _drift(drift: DriftView) -> Iterator[str]:
    yield from (f"~ {one.what} is not as released: {one.why}" for one in drift.left)
    if drift.maintenance and not drift.left:
        yield f"~ maintenance: {drift.maintenance}"
    if drift.problem:
        yield f"? cannot tell whether the node drifted: {drift.problem}"


def why_not(name: str, snapshot: Snapshot) -> str:
    """Say why an engine does not serve, with the last lines it wrote."""
    engine = snapshot.engines[name]
    state = engine.state
    lines = [f"{name} does not serve: {state.phase} {state.reason}: {state.message}"]
    if engine.last_exit and engine.running is False:
        lines.append(f"it ended with code {engine.last_exit.code}: {engine.last_exit.message}")
        lines += [f"  | {line}" for line in engine.last_exit.lines[-10:]]
    return "\n".join(lines)


def fit(lines: Iterable[str]) -> str:
    """Return the lines wrapped; what could steer a terminal (a log's text may) is left out."""
    plain = ("".join(char if char.isprintable() else " " for char in line) for line in lines)
    wrapped = (textwrap.wrap(line, WIDTH, subsequent_indent=" " * 4) or [""] for line in plain)
    return "\n".join(part for parts in wrapped for part in parts)


def _engine(name: str, engine: EngineView, now: float) -> list[str]:
    state = engine.state
    flight = "?" if engine.in_flight is None else str(engine.in_flight)
    lines = [
        f"  {name:<12} {state.phase:<12} {engine.kind} {engine.served_name}",
        f"  {'':<12} for {age(now - state.since)} · {flight} in flight · "
        f"{engine.restarts_left} restarts left · by {state.by} · port {engine.port}",
    ]
    if engine.capacity < 1:
        lines.append(f"  {'':<12} with {engine.capacity:.0%} of its capacity")
    if engine.running_digest not in {None, engine.digest}:
        lines.append(f"  {'':<12} runs with an older configuration; restart it to apply the new")
    if engine.advice.rank:
        lines.append(f"  {'':<12} would {engine.advice.value}, but only observes")
    return [*lines, ""]


def _gpus(snapshot: Snapshot) -> list[str]:
    if snapshot.gpus is None:
        return [f"  GPUs: cannot be read: {snapshot.gpus_problem}", ""]
    if snapshot.gpus.error is not None:
        return [f"  GPUs: cannot be read: {snapshot.gpus.error_text}", ""]
    lines = []
    for gpu in snapshot.gpus.gpus:
        if gpu.error is not None:
            lines.append(f"  gpu {gpu.index} {gpu.uuid[:12]} {gpu.error_text}")
            continue
        used, total = (gpu.memory_used or 0) / GIB, (gpu.memory_total or 0) / GIB
        watts = (gpu.power or 0) / 1000
        lines.append(
            f"  gpu {gpu.index} {gpu.uuid[:12]} {gpu.name}  {used:.1f}/{total:.1f} GiB  "
            f"{'?' if gpu.temperature is None else gpu.temperature} °C  {watts:.0f} W"
        )
    return [*lines, ""] if lines else []


def _incident(one: Incident) -> str:
    needs = f"needs {one.verdict.remedy.value}" if one.verdict else "its company is awaited"
    latch = "; only a person may close it: stokerctl ack" if one.latched else ""
    return f"! incident {one.id}: {needs}{latch}"


def _due(snapshot: Snapshot) -> Iterator[str]:
    for step in snapshot.steps:
        why, advice = sentences(step)
        end = f"; {advice}" if advice else ""
        if step.rung is Remedy.QUARANTINE:
            yield f"> {step.subject}: {why}{end}"
        else:
            yield f"> {step.rung.value} of {step.subject} is due: {why}{end}"


def age(seconds: float) -> str:
    """Return a span of time as a person would say it."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
