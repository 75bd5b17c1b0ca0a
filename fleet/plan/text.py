"""The plan in words: hosts whose plans are the same are told once. Pure."""

import textwrap
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from agent.planner.units import GIB
from agent.weights.plan import amount
from fleet.disruption import Disruption
from fleet.plan import driver_moves, takeovers
from fleet.plan.document import Download, EnginePlan, Gpus, HostPlan, Memory, Plan, StagePlan

LABEL = 12
FIRST, COLUMN = 18, 16  # of the table of memory
SOURCES = {
    "lock": "as locked",
    "headers": "weights alone, by their headers",
    "config": "weights alone, reckoned from config.json",
    "unknown": "how much is not known",
}
VERDICTS = {
    "nothing": "nothing to do",
    "changes": "a deploy would change hosts",
    "refused": "refused: as long as it is so, a deploy changes no host",
}


def render(plan: Plan, width: int) -> str:
    """Return the text, in lines of at most `width` columns."""
    lines = list(_head(plan, width))
    for names, host in _alike(plan.hosts):
        lines += ["", *_host(names, host, width)]
    return "\n".join([*lines, "", *_wrapped(_foot(plan), "", "  ", width)])


def _head(plan: Plan, width: int) -> Iterator[str]:
    how = "offline: no host and no Hub was asked" if plan.offline else "no host was changed"
    yield from _wrapped(f"plan of {plan.inventory} ({how})", "", "  ", width)
    for sentence in plan.refused:
        yield from _wrapped(f"refused: {sentence}", "", "  ", width)


def _foot(plan: Plan) -> str:
    refused = sum(bool(host.problems) for host in plan.hosts)
    known = [host for host in plan.hosts if host.stages is not None]
    parts = [f"{sum(bool(host.stages) for host in known)} with changes"] if known else []
    unknown = len(plan.hosts) - len(known)
    parts += [f"{unknown} not known"] if unknown else []
    parts += [f"{refused} refused"] if refused else []
    said = VERDICTS[plan.verdict]
    if plan.verdict == "changes" and not known:
        said = "what a deploy would change is not known"
    counts = f": {', '.join(parts)}" if parts else ""
    return f"{said} ({len(plan.hosts)} host(s){counts})"


def _alike(hosts: Sequence[HostPlan]) -> Iterator[tuple[list[str], HostPlan]]:
    groups: list[tuple[HostPlan, list[str]]] = []
    for host in hosts:
        nameless = replace(host, name="")
        same = next((names for other, names in groups if other == nameless), None)
        if same is None:
            groups.append((nameless, [host.name]))
        else:
            same.append(host.name)
    for nameless, names in groups:
        yield names, nameless


def _host(names: Sequence[str], host: HostPlan, width: int) -> Iterator[str]:
    what = ", ".join([*host.roles, _gpus(host.gpus)])
    yield from _wrapped(f"{', '.join(names)}: {what}", "", "  ", width)
    for label, sentence in _sentences(host):
        yield from _item(label, sentence, width)
    if host.stages is None:
        yield from _item("changes", f"not known: {host.contact}", width)
    elif not host.stages:
        yield from _item("changes", "none", width)
    for one in host.takeovers:
        yield from _item("takes over", takeovers.told(one), width)
    for stage in host.stages or ():
        yield from _item(stage.stage, _stage(stage), width)
    for download in host.downloads:
        yield from _item("download", _download(download), width)
    for engine in host.engines:
        yield from _engine(engine, width)
    for some in _pages([e for e in host.engines if e.memory and e.memory.parts], width):
        yield ""
        yield from (f"  {line}" for line in _table(some))


def _sentences(host: HostPlan) -> Iterator[tuple[str, str]]:
    yield from (("refused", one) for one in host.problems)
    yield from (("warning", one) for one in host.warnings)
    if host.driver:
        yield "driver", host.driver.message
    if host.driver_move:
        yield from (("moves", line) for line in driver_moves.told(host.driver_move))


def _gpus(gpus: Gpus) -> str:
    if not gpus.count:
        return "no GPU"
    if gpus.card is None:
        return f"{gpus.count} GPU(s) of unknown type"
    return f"{gpus.count} × {gpus.card} ({gpus.source})"


def _stage(stage: StagePlan) -> str:
    grave = stage.disruption is not Disruption.NONE
    may = "may " if stage.disruption is Disruption.REBOOT else ""
    parts = [f"[{may}{stage.disruption}]"] if grave else []
    parts += ["; ".join(stage.changes)] if stage.changes else []
    parts += [f"(then: {'; '.join(stage.follows)})"] if stage.follows else []
    return " ".join(parts)


def _download(one: Download) -> str:
    size = amount(one.bytes) if one.bytes is not None else "?"
    return f"{size} {one.repo}@{one.commit[:12]} ({SOURCES[one.source]})"


def _engine(engine: EnginePlan, width: int) -> Iterator[str]:
    where = f"on {engine.gpus} GPU(s)" if engine.gpus else "without a GPU"
    act = {None: "", "nothing": ": stays as it is", "held": ": held"}.get(
        engine.act, f": {engine.act}"
    )
    said = f"engine {engine.name}: {engine.kind} serves {engine.model} {where}{act}"
    yield from _wrapped(said, "  ", "    ", width)
    if engine.strategy:
        said = f"{engine.strategy.kind}: {engine.strategy.message}"
        yield from _item("  strategy", said, width)
    if engine.gap:
        yield from _item("  gap", engine.gap.message, width)
    if engine.memory:
        yield from _item("  memory", _memory(engine.memory), width)
        for near in engine.memory.nearest:
            yield from _item("  would fit", near, width)
    for warning in engine.warnings:
        yield from _item("  warning", warning, width)


def _memory(memory: Memory) -> str:
    verdict = {"yes": "fits", "unsure": "may not fit", "no": "does not fit"}[memory.fits]
    drawn = " (weights reckoned from config.json)" if memory.drawn else ""
    return f"{verdict}: {memory.message}{drawn}"


def _pages(engines: Sequence[EnginePlan], width: int) -> Iterator[Sequence[EnginePlan]]:
    """Split engines into tables that are not too wide."""
    fit = max(1, (width - 2 - FIRST) // COLUMN)
    for start in range(0, len(engines), fit):
        yield engines[start : start + fit]


def _table(engines: Sequence[EnginePlan]) -> Iterator[str]:
    found = [one.memory for one in engines if one.memory]
    yield _row("GiB of each GPU", [one.name for one in engines])
    yield _row("", [f"{one.gpus}×{one.card}" for one in found])
    for parts in zip(*(one.parts for one in found), strict=True):
        yield _row(parts[0].name, [f"{part.bytes / GIB:.2f}" for part in parts])
    yield _row("left", [f"{one.left / GIB:.2f}" for one in found])
    yield _row("all", [f"{one.total / GIB:.2f}" for one in found])
    yield _row("give or take", [f"{one.doubt / GIB:.2f}" for one in found])
    yield _row("KV tokens", [f"{one.tokens:,}" for one in found])
    yield _row("requests at once", [f"{one.requests:,.1f}" for one in found])


def _row(label: str, cells: Sequence[str]) -> str:
    return f"{label:{FIRST}}" + "".join(f"{cell[: COLUMN - 1]:>{COLUMN}}" for cell in cells)


def _item(label: str, said: str, width: int) -> Iterator[str]:
    yield from _wrapped(said, f"  {label:{LABEL}}", " " * (LABEL + 2), width)


def _wrapped(said: str, first: str, later: str, width: int) -> list[str]:
    return textwrap.wrap(
        said, width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
    )
