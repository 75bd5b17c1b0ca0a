"""Traces with a known outcome, and how well the rules do on them.

A file holds traces, one after the other. A trace begins with a line `#! NAME` and may have more
`#` lines of the form `# key: value` before its log lines:

    #! 48-with-63
    # expect: reset        none, or the remedy that is right
    # pids: 4242           the engine's processes; none known when left out
    # product: NVIDIA A100-SXM4-80GB
    # mig: on              and row_remap: no, nvswitch: yes, branch: 570, probe: bad
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.errors import SpecError
from agent.model import Remedy, Value
from agent.xid.context import Product
from agent.xid.replay import Act, Setting, simulate

_ON = frozenset({"on", "yes"})


class Trace(Value, frozen=True, kw_only=True):
    """One log with the remedy that is right for it."""

    name: str
    expect: Remedy
    lines: tuple[str, ...]
    setting: Setting


class Score(Value, frozen=True, kw_only=True):
    """How the rules did. `wrong_remedy`: acted rightly, but not by the remedy that is right."""

    traces: int
    acted_rightly: int
    false_drains: tuple[str, ...]
    missed: tuple[str, ...]
    wrong_remedy: tuple[str, ...]

    @property
    def precision(self) -> float:
        """Which share of what was taken out of service had to be; 1 if nothing was."""
        acted = self.acted_rightly + len(self.false_drains)
        return self.acted_rightly / acted if acted else 1.0

    @property
    def recall(self) -> float:
        """Which share of what had to be taken out of service was; 1 if nothing had to be."""
        needed = self.acted_rightly + len(self.missed)
        return self.acted_rightly / needed if needed else 1.0


def traces(folder: Path) -> list[Trace]:
    """Return the traces of all `*.txt` under a folder; `SpecError` names what cannot be read."""
    found = [one for path in sorted(folder.rglob("*.txt")) for one in _split(path)]
    if not found:
        raise SpecError(f"{folder}: no trace in any *.txt; a trace begins with a line '#! NAME'")
    return found


def score(known: Iterable[Trace]) -> Score:
    """Replay traces and compare what would have been done with what is right."""
    known = list(known)
    right, false, missed, wrong = 0, [], [], []
    for trace in known:
        drained, remedy = _done(trace)
        needed = trace.expect is not Remedy.NONE
        if drained and not needed:
            false.append(trace.name)
        elif needed and not drained:
            missed.append(trace.name)
        elif needed:
            right += 1
            if remedy is not trace.expect:
                wrong.append(f"{trace.name}: {remedy.value}, not {trace.expect.value}")
    return Score(
        traces=len(known),
        acted_rightly=right,
        false_drains=tuple(false),
        missed=tuple(missed),
        wrong_remedy=tuple(wrong),
    )


def _done(trace: Trace) -> tuple[bool, Remedy]:
    """Return whether anything was taken out of service, and the strongest remedy chosen."""
    steps = simulate(trace.lines, trace.setting)
    remedies = [step.verdict.remedy for step in steps if step.verdict]
    remedy = max(remedies, default=Remedy.NONE)
    return any(step.act is Act.DRAIN for step in steps) or remedy > Remedy.NONE, remedy


def _split(path: Path) -> Iterator[Trace]:
    name, keys, lines = "", dict[str, str](), list[str]()
    for line in [*path.read_text("utf-8").splitlines(), "#! "]:
        if line.startswith("#! "):
            if name:
                yield _trace(f"{path.stem}/{name}", keys, lines)
            name, keys, lines = line[3:].strip(), {}, []
        elif line.startswith("# ") and not lines:
            key, _, value = line[2:].partition(":")
            keys[key.strip()] = value.strip()
        elif name:
            lines.append(line)


def _trace(name: str, keys: dict[str, str], lines: list[str]) -> Trace:
    try:
        return Trace(name=name, expect=_expect(keys), lines=tuple(lines), setting=_setting(keys))
    except (KeyError, ValueError) as error:
        raise SpecError(f"trace {name}: its '# key: value' lines are wrong: {error}") from error


def _expect(keys: dict[str, str]) -> Remedy:
    return Remedy(keys["expect"])


def _setting(keys: dict[str, str]) -> Setting:
    product = Product(
        name=keys.get("product", ""),
        mig=keys.get("mig", "off") in _ON,
        nvswitch=keys.get("nvswitch", "no") in _ON,
        row_remap=keys.get("row_remap", "yes") in _ON,
    )
    return Setting(
        engine_pids=frozenset(map(int, keys["pids"].split())) if "pids" in keys else None,
        probe=keys["probe"] != "bad" if "probe" in keys else None,
        product=product,
        branch=int(keys["branch"]) if "branch" in keys else None,
    )
