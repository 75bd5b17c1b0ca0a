"""The plan in short, as `stoker deploy` shows it before it asks. Pure."""

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from agent.weights.plan import amount
from fleet.commands.shown import listed, wrapped
from fleet.disruption import Disruption
from fleet.plan.document import HostPlan, Plan

VERDICTS = {
    "nothing": "nothing to do: every host is as its spec wants",
    "changes": "",
    "refused": "refused: no host was changed",
}


def digest(made: Plan) -> str:
    """Return twelve hex digits that stand for this plan in the logs of the hosts."""
    return sha256(msgspec.json.encode(made)).hexdigest()[:12]


def plan(made: Plan) -> Iterator[str]:
    """Say what would change where, hosts with the same named once."""
    yield f"plan of {made.inventory} ({digest(made)})"
    for sentence in made.refused:
        yield from wrapped(f"refused: {sentence}", "  ", "    ")
    same: dict[tuple[str, ...], list[str]] = {}
    for host in made.hosts:
        same.setdefault(tuple(_host(host)), []).append(host.name)
    for sentences, names in same.items():
        yield from wrapped(f"{listed(names)}:", "  ", "    ")
        for sentence in sentences:
            yield from wrapped(sentence, "    ", "      ")
    if VERDICTS[made.verdict]:
        yield VERDICTS[made.verdict]


def _host(host: HostPlan) -> Iterator[str]:
    yield from (f"refused: {problem}" for problem in host.problems)
    if host.stages is None:
        if not host.problems:
            yield "what would change is not known"
    elif not host.stages:
        yield "nothing to do"
    else:
        said = [
            f"{one.stage}{_disruption(one.disruption)} ({len(one.changes)})" for one in host.stages
        ]
        yield f"changes: {', '.join(said)}"
    for engine in host.engines:
        if engine.act in {"restart", "start", "held"}:
            how = f", {engine.strategy.kind}: {engine.strategy.message}" if engine.strategy else ""
            yield f"engine {engine.name}: {engine.act}{how}"
    sizes = [one.bytes for one in host.downloads]
    if sizes:
        known = [amount(sum(size or 0 for size in sizes))] if any(sizes) else []
        yield "download: " + " and ".join(known + ["how much is not known"] * (None in sizes))
    yield from (f"takes over container {one.container}" for one in host.takeovers)


def _disruption(disruption: Disruption) -> str:
    return "" if disruption is Disruption.NONE else f" [{disruption.value}]"
