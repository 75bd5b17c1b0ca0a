"""Whether a drift is put right now, and if not, why. Pure."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from agent.drift.report import Kind
from agent.spec import DriftSpec

DAY = 86400.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a check has to respect. `corrected` maps each operation to when it was corrected.

    `maintenance` = a person's words, who keeps this node as it is; `fighter` = who else may write;
    `copy` = which engine of an interrupted deploy is all that serves.
    """

    maintenance: str | None = None
    corrected: dict[str, tuple[float, ...]] = {}
    fighter: str = ""
    copy: str = ""


def left(kind: Kind, operation: str, spec: DriftSpec, standing: Standing, now: float) -> str:
    """Return why this drift is left alone, as a sentence; empty when it is to be put right."""
    if stopped := _stopped(spec, standing):
        return stopped
    if kind is Kind.NEVER:
        return "a person puts this right: deploy, or see what changed it"
    if again := fights(standing.corrected, operation, spec, now):
        other = f", {standing.fighter}" if standing.fighter else ""
        return f"was put right {again} times within a day, and comes back{other}"
    if kind is Kind.DISRUPTIVE and not in_window(spec.window, now):
        return f"engines would restart, and now is outside drift_window ({spec.window or 'none'})"
    return ""


def _stopped(spec: DriftSpec, standing: Standing) -> str:
    if standing.maintenance is not None:
        return f"a person keeps this node as it is: {standing.maintenance}"
    if spec.mode == "report":
        return "drift_mode is report: nothing is put right"
    if standing.copy:
        return f"a deploy was interrupted, and {standing.copy}: deploy again"
    return ""


def fights(
    corrected: Mapping[str, tuple[float, ...]], operation: str, spec: DriftSpec, now: float
) -> int:
    """Return how often it was put right within a day, if that is as often as may be; else 0."""
    again = sum(now - at < DAY for at in corrected.get(operation, ()))
    return again if again >= spec.corrections_per_day else 0


def in_window(window: str | None, now: float) -> bool:
    """Tell whether `now` lies in a window such as "02:00-04:30" or "Sun 22:00-02:00", host time."""
    if window is None:
        return False
    days, _, hours = window.rpartition(" ")
    begin, end = (int(h) * 60 + int(m) for h, m in (p.split(":") for p in hours.split("-")))
    local = time.localtime(now)
    minute, day = local.tm_hour * 60 + local.tm_min, local.tm_wday
    if begin < end:
        inside = begin <= minute < end
    else:  # over midnight: the hours after it belong to the day before
        inside = minute >= begin or minute < end
        day = (day - 1) % 7 if minute < end else day
    return inside and (not days or _DAYS[day] in days.split(","))


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def remember(
    corrected: Mapping[str, tuple[float, ...]], operations: Iterable[str], now: float
) -> dict[str, tuple[float, ...]]:
    """Return the history with these corrections added, and without what is older than a day."""
    kept = {name: tuple(at for at in ats if now - at < DAY) for name, ats in corrected.items()}
    for name, count in Counter(operations).items():
        kept[name] = (*kept.get(name, ()), *[now] * count)
    return {name: ats for name, ats in kept.items() if ats}
