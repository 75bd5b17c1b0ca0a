"""A node on which everything has happened, and all that its agent exports; by the real code."""

import re
import time
from pathlib import Path

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from agent import metrics
from agent.api import Reads
from agent.engine_books import EngineBooks
from agent.engines import ENGINES
from agent.gateway_books import Books
from agent.model import Phase, Remedy
from agent.snapshot import Published, Snapshot
from tests.agent.shown import condition, incident, sick, snapshot
from tests.agent.test_gateway_books import CUT, datagram

SAMPLES = Path(__file__).parents[2] / "agent" / "engines" / "samples"
NODE = "gpu-1"
COUNTED = re.compile(
    r"(_total|_bucket|_sum|_count|_success|_failure)(\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE
)


class Exported:
    """One engine of each program; `reads` is what the agent serves."""

    def __init__(self) -> None:
        self.reads = Reads(Published(), 1.0)
        registry = self.reads.counters.registry
        self.engines, self.gateway = EngineBooks(ENGINES), Books(registry, tuple(ENGINES))
        registry.register(self.engines)
        for shown in _life():
            self.reads.published.show(shown)
        self.work(1)

    def work(self, factor: int) -> None:
        """Let everything be counted that is: the engines have done `factor` times the samples."""
        for kind in ENGINES:
            text = (SAMPLES / f"{kind}.txt").read_text()
            self.engines.take(kind, COUNTED.sub(lambda m: _times(m, factor), text))
            for fields in ({}, {"status": 503, "stream": "no"}, {"done": "no"}):
                self.gateway.take(datagram(engine=kind, model=f"org/{kind}", **fields))
        self.gateway.take(
            datagram(status=429, reason="rate_limit_exceeded", engine="", stream="no")
        )
        self.gateway.take(CUT)
        self.gateway.take(datagram(engine="tgi", done="no"))
        latest = self.reads.published.latest
        assert latest is not None
        self.reads.published.show(msgspec.structs.replace(latest, at=time.time()))

    def text(self) -> str:
        latest = self.reads.published.latest
        return metrics.exposition(latest, self.reads.counters).decode()

    def labels(self) -> dict[str, set[str]]:
        """Return the labels of each series that has any value, by its name."""
        found: dict[str, set[str]] = {}
        for family in text_string_to_metric_families(self.text()):
            for one in family.samples:
                found.setdefault(one.name, set()).update(one.labels)
        return found


def _times(match: re.Match[str], factor: int) -> str:
    return f"{match[1]}{match[2] or ''} {float(match[3]) * factor}"


def _life() -> list[Snapshot]:
    """Serving; drained for a fault; started anew; and then all that can be wrong at once."""
    now = time.time()
    serving = _three(snapshot(), phase=Phase.SERVING, since=now - 60, last_start=9.0)
    sign = condition(check="xid", reason="Xid79", since=now - 50.02)
    fact = {"reason": "Xid79", "last_start": 9.0}
    draining = _three(
        msgspec.structs.replace(serving, conditions=(sign,), incidents=(incident(),)),
        **{"phase": Phase.DRAINING, "since": now - 50, **fact},
    )
    drained = _three(draining, **{"phase": Phase.DRAINED, "since": now - 40, **fact})
    started = _three(drained, phase=Phase.STARTING, since=now - 30, last_start=now - 30)
    return [serving, draining, drained, started, _all_at_once(now)]


def _all_at_once(now: float) -> Snapshot:
    shown = sick()
    gpus = shown.gpus
    assert gpus is not None
    whole = msgspec.structs.replace(gpus.gpus[1], retired_pending=False)
    shown = msgspec.structs.replace(
        shown,
        node=NODE,
        gpus=msgspec.structs.replace(gpus, gpus=(gpus.gpus[0], whole)),
        gateway=msgspec.structs.replace(shown.gateway, certificate_expires=now + 86400),
        drift=msgspec.structs.replace(shown.drift, checked=now - 600),
    )
    return _three(shown, phase=Phase.SERVING, since=now - 20, last_start=now - 30)


def _three(shown: Snapshot, **state: object) -> Snapshot:
    """The same with an engine of each program."""
    main = next(iter(shown.engines.values()))
    views = {
        kind: msgspec.structs.replace(
            main,
            state=msgspec.structs.replace(main.state, **{"gpus": ("GPU-0",), **state}),
            kind=kind,
            served_name=f"org/{kind}",
            gpus=("GPU-1",),
            requests_running=12,
            requests_waiting=3,
            requests_running_max=128,
            kv_use_ratio=None if kind == "tgi" else 0.4,
            restarts_max=3,
            advice=Remedy.RESTART,
        )
        for kind in ENGINES
    }
    return msgspec.structs.replace(shown, engines=views)
