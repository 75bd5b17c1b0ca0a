"""The fleet on one screen: a line an engine, then what somebody should know. Pure."""

from collections.abc import Iterator

from agent.show import age
from fleet.commands.nodes import Engine, Fleet, Node
from fleet.commands.shown import DIM, GREEN, RED, YELLOW, listed, table, wrapped

SORTS = ("inventory", "worst")
HEAD = (
    "HOST", "ENGINE", "PHASE", "MODEL", "FLIGHT", "QUEUE", "GPUS", "DRIFT", "RELEASE", "SINCE",
)  # fmt: skip
PHASE, DRIFT = HEAD.index("PHASE"), HEAD.index("DRIFT")
SHRINK = {HEAD.index("MODEL"): 18, HEAD.index("HOST"): 14, HEAD.index("ENGINE"): 8}
WORST = ("QUARANTINED", "DRAINED", "DRAINING", "STARTING", "SERVING")
COLOURS = {
    "SERVING": GREEN, "STARTING": YELLOW, "DRAINING": YELLOW, "DRAINED": YELLOW,
    "QUARANTINED": RED, "NO ANSWER": RED, "?": RED,
}  # fmt: skip
LATE = 15.0  # seconds after which a snapshot is no news any more


def render(fleet: Fleet, now: float, sort: str = "inventory", *, colour: bool = False) -> str:
    """Return the screen; `now` seconds since 1970."""
    rows = list(_rows(fleet, now))
    if sort == "worst":
        rows.sort(key=lambda row: _rank(row[PHASE]))
    painted = _colour if colour else _none
    lines = table([HEAD, *rows], SHRINK, painted)
    notes = list(_notes(fleet, now))
    return "\n".join([*lines, *([""] if notes else []), *notes, "", *wrapped(_foot(fleet))])


def _rows(fleet: Fleet, now: float) -> Iterator[tuple[str, ...]]:
    for name, node in fleet.nodes.items():
        if not node.engines:
            phase = "NO ANSWER" if node.problem else "-"
            role = " ".join(node.roles) or "-"
            yield (name, "-", phase, role, "-", "-", "-", _drift(node), _release(node), "-")
        for engine, one in node.engines.items():
            yield (
                name, engine, one.state.phase + ("*" if one.gate_problem else ""),
                (one.served_name or one.model).rpartition("/")[2],
                _sum(one), _known(one.requests_waiting), _gpus(one, node),
                _drift(node), _release(node), age(now - one.state.since),
            )  # fmt: skip


def _sum(one: Engine) -> str:
    if one.requests_running is None or one.requests_waiting is None:
        return "?"
    return str(one.requests_running + one.requests_waiting)


def _known(number: int | None) -> str:
    return "?" if number is None else str(number)


def _gpus(one: Engine, node: Node) -> str:
    if node.agent is None or node.agent.gpus is None:
        return f"{len(one.gpus)}/?"
    return f"{len(one.gpus)}/{len(node.agent.gpus.gpus)}"


def _drift(node: Node) -> str:
    if node.drift is None:
        return "-"
    if node.drift.problem:
        return "?"
    return f"{node.drift.left} left" if node.drift.left else "none"


def _release(node: Node) -> str:
    """Return the time of the release, UTC, which hosts of one deploy have in common."""
    return short(node.release) or "-"


def short(release: str) -> str:
    """Return month, day and time of a release's id: all that a deploy's hosts have in common."""
    if len(release) < 15:
        return release
    return f"{release[4:6]}-{release[6:8]} {release[9:11]}:{release[11:13]}"


def _rank(phase: str) -> int:
    known = phase.rstrip("*")
    return WORST.index(known) if known in WORST else -1


def _colour(column: int, text: str) -> str:
    if column == PHASE:
        return COLOURS.get(text.rstrip("*"), "")
    if column == DRIFT:
        return YELLOW if text.endswith("left") or text == "?" else DIM if text == "none" else ""
    return ""


def _none(_column: int, _text: str) -> str:
    return ""


def _notes(fleet: Fleet, now: float) -> Iterator[str]:
    """Say what no column has room for, with the hosts it is the same on named once."""
    said: dict[str, list[str]] = {}
    for name, node in fleet.nodes.items():
        for sentence in _sentences(node, now):
            said.setdefault(sentence, []).append(name)
    for sentence, names in said.items():
        yield from wrapped(f"{listed(names)}: {sentence}", "! ", "    ")


def _sentences(node: Node, now: float) -> Iterator[str]:
    if node.problem:
        yield node.problem
    for name, engine in node.engines.items():
        yield from _of_engine(name, engine)
    if node.agent and node.agent.incidents:
        yield f"{len(node.agent.incidents)} open incident(s): sudo stokerctl why"
    if node.agent and node.agent.gpus_problem:
        yield f"GPUs cannot be read: {node.agent.gpus_problem}"
    if node.late > LATE:
        yield f"this is {node.late:.0f} s old: the agent's loop does not turn"
    yield from _of_drift(node, now)
    if node.lock:
        yield f"{node.lock.by} is at it ({node.lock.reason})"


def _of_engine(name: str, engine: Engine) -> Iterator[str]:
    state = engine.state
    if state.phase != "SERVING":
        by = f" (by {state.by})" if state.by not in {"", "agent"} else ""
        yield f"{name} {state.phase} {state.reason}: {state.message}{by}"
    if engine.gate_problem:
        yield f"{name}: the gate does not work: {engine.gate_problem}"
    if engine.old:
        yield f"{name} runs with older settings; a restart applies the new"


def _of_drift(node: Node, now: float) -> Iterator[str]:
    if node.maintenance:
        yield f"a person keeps this node as it is: {node.maintenance}"
    if node.drift and node.drift.problem:
        yield f"drift cannot be told: {node.drift.problem}"
    elif node.drift and node.drift.left:
        yield f"{node.drift.left} thing(s) drifted and were left {age(now - node.drift.at)} ago"


def _foot(fleet: Fleet) -> str:
    engines = [one for node in fleet.nodes.values() for one in node.engines.values()]
    serving = sum(one.serving for one in engines)
    silent = sum(bool(node.problem) for node in fleet.nodes.values())
    running = sum(one.requests_running or 0 for one in engines)
    parts = [
        f"{len(fleet.nodes)} host(s)",
        f"{serving} of {len(engines)} engine(s) serve",
        f"{running} request(s) running",
    ]
    return " · ".join(parts + ([f"{silent} host(s) say nothing"] if silent else []))
