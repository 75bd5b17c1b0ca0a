"""What Prometheus scrapes: well formed, bounded, back to 0; counters count what happens, once."""

import re
from pathlib import Path

import msgspec
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from agent import metrics
from agent.counters import OTHER, REASONS, Counters
from agent.engine_books import EngineBooks
from agent.engines import ENGINES
from agent.ladder import Outcome
from agent.model import Phase, Remedy, Verb
from agent.news import news
from agent.snapshot import GatewayView, Snapshot
from agent.xid.fault import Kind
from tests.agent.fakes import look, nvml
from tests.agent.node import Node
from tests.agent.shown import (
    attempt,
    condition,
    engine,
    incident,
    judged,
    sick,
    snapshot,
    step,
)

SAMPLE = (Path(__file__).parent / "engines/samples/vllm.txt").read_text()


class Scrapes:
    """A process that shows one snapshot after another, and is scraped."""

    def __init__(self, *shown: Snapshot) -> None:
        self.counters = Counters()
        self.engines = EngineBooks({"main": ENGINES["vllm"]})
        self.engines.take("main", SAMPLE)
        self.counters.registry.register(self.engines)
        self.latest: Snapshot | None = None
        self.show(*shown)

    def show(self, *shown: Snapshot) -> "Scrapes":
        for one in shown:
            self.counters.take(news(self.latest, one), self.latest, one)
            self.latest = one
        return self

    def families(self) -> list[Metric]:
        text = metrics.exposition(self.latest, self.counters).decode()
        return list(text_string_to_metric_families(text))

    def samples(self) -> dict[str, float]:
        return {
            one.name + "{" + ",".join(f"{k}={v}" for k, v in sorted(one.labels.items())) + "}": (
                one.value
            )
            for family in self.families()
            for one in family.samples
        }


def samples(*shown: Snapshot) -> dict[str, float]:
    return Scrapes(*shown).samples()


# -- conventions -----------------------------------------------------------------------------------

BASE = "seconds|bytes|celsius|watts|ratio|total|info"
PLAIN = {  # numbers of things, states and switches: they have no unit
    *("stoker_engine_phase", "stoker_engine_requests_running", "stoker_engine_requests_waiting"),
    "stoker_engine_replicas_wanted",
    *("stoker_engine_restarts_left", "stoker_engine_advice", "stoker_condition"),
    *("stoker_incidents_open", "stoker_rung_waiting", "stoker_inflight_at_drain"),
    *("stoker_gpu_blind", "stoker_gpu_recovery_action", "stoker_gpu_sram_threshold_exceeded"),
    *("stoker_gpu_row_remap_pending", "stoker_gpu_row_remap_failed", "stoker_gpu_clock_reason"),
    *("stoker_gpu_page_retirement_pending", "stoker_gpu_nvlinks_active"),
    *("stoker_gpu_pcie_lanes", "stoker_gpu_pcie_lanes_max"),
    *("stoker_gpu_pcie_generation", "stoker_gpu_pcie_generation_max"),
    *("stoker_engine_requests_running_max", "stoker_engine_restarts_max"),
    *("stoker_engine_kv_capacity_tokens", "stoker_check_unknown", "stoker_gateway_deaf"),
    *("stoker_drift_left", "stoker_drift_corrected", "stoker_drift_check_failed"),
}


def test_conventions() -> None:
    families = Scrapes(snapshot(), sick()).families()
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    for family in families:
        assert re.fullmatch(r"stoker_[a-z0-9]+(_[a-z0-9]+)*", family.name)
        assert family.documentation.endswith((".", "…"))
        assert family.type in {"gauge", "counter", "histogram"}
        counts = {one.name for one in family.samples if one.name.endswith("_total")}
        assert (family.type == "counter") is bool(counts) or not family.samples
        unit = re.search(rf"_({BASE})(_max)?$", family.name)
        assert unit or family.name in PLAIN or family.type == "counter", family.name
    assert {name for name in PLAIN if name not in names} == set()


LABELS = {
    *("engine", "phase", "uuid", "check", "subject", "reason", "version", "remediation"),
    *("remedy", "rung", "xid", "result", "source", "type", "le", "kind", "outcome"),
    *("model", "index", "name"),
}
NAMES = {"stoker_engine_info": "model", "stoker_gpu_info": "name"}  # one of each engine, each GPU


def test_labels_are_bounded_and_never_free_text() -> None:
    shown = sick()
    scraped = Scrapes(snapshot(), shown)
    labels = [one.labels for family in scraped.families() for one in family.samples]
    assert {name for one in labels for name in one} == LABELS
    values = {
        value
        for family in scraped.families()
        for one in family.samples
        for label, value in one.labels.items()
        if NAMES.get(family.name) != label
    }
    assert max(map(len, values)) <= 50
    for text in ("org/a-model", "the driver hangs", "a test", "i-1", "VLLM", "alice"):
        assert not [value for value in values if text in value]


def test_new_reasons_and_numbers_do_not_make_new_series_for_ever() -> None:
    shown, scraped = snapshot(), Scrapes(snapshot())
    for number in range(REASONS + 50):
        fact = {"last_start": 100.0 + number, "reason": f"Reason{number}"}
        shown = engine(shown, fact)
        one = incident(f"i-{number}", 1000 + number, gpu="00000000:99:00")
        scraped.show(msgspec.structs.replace(shown, incidents=(one,)))
    found = scraped.samples()
    restarts = [name for name in found if name.startswith("stoker_restarts_total")]
    assert len(restarts) == REASONS + 1
    assert found[f"stoker_restarts_total{{engine=main,reason={OTHER}}}"] == 50
    assert [name for name in found if name.startswith("stoker_xid_total")] == [
        f"stoker_xid_total{{uuid=unknown,xid={OTHER}}}"
    ]


# -- gauges ----------------------------------------------------------------------------------------


def test_every_gauge_returns_when_all_is_well_again() -> None:
    """After the fault the gauges are those of a node that never had one."""
    gone = {"stoker_condition", "stoker_last_tick", "stoker_engine_phase_changed"}
    before, after = snapshot(), snapshot()
    bad, good = samples(before, sick()), samples(before, sick(), after)
    never = samples(before, after)
    gauges = {
        one.name
        for family in Scrapes(before).families()
        if family.type == "gauge"
        for one in family.samples
    }
    assert {name for name in bad if name.startswith("stoker_condition{")}
    assert not {name for name in good if name.startswith("stoker_condition{")}
    for name, value in never.items():
        if name.partition("{")[0] in gauges and not name.startswith(tuple(gone)):
            assert good[name] == value, name


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("stoker_engine_phase{engine=main,phase=QUARANTINED}", 1, 0),
        ("stoker_engine_phase{engine=main,phase=SERVING}", 0, 1),
        ("stoker_engine_capacity_ratio{engine=main}", 0.5, 1),
        ("stoker_engine_advice{engine=main}", Remedy.RESTART.rank, 0),
        ("stoker_incidents_open{remedy=quarantine}", 1, 0),
        ("stoker_incidents_open{remedy=undecided}", 1, 0),
        ("stoker_rung_waiting{reason=NotArmed,rung=reboot}", 1, 0),
        ("stoker_gpu_blind{}", 1, 0),
        ("stoker_gateway_deaf{}", 1, 0),
    ],
)
def test_a_gauge_during_the_fault_and_after(name: str, bad: float, good: float) -> None:
    sicker = msgspec.structs.replace(sick(), gpus=None)
    well = snapshot(gateway=GatewayView())
    assert (samples(sicker)[name], samples(sicker, well)[name]) == (bad, good)


def test_what_engines_are_and_do() -> None:
    found = samples(snapshot())
    name = "org/a-model-with-quite-a-long-name-70B-Instruct-FP8"
    assert found[f"stoker_engine_info{{engine=main,kind=vllm,model={name}}}"] == 1
    assert found["stoker_engine_gpu_info{engine=main,uuid=GPU-0}"] == 1
    assert found["stoker_engine_kv_use_ratio{engine=main}"] == 0.25
    assert found["stoker_engine_requests_running_max{engine=main}"] == 256
    assert found["stoker_engine_restarts_max{engine=main}"] == 3
    assert found["stoker_gpu_info{index=1,name=NVIDIA H100 80GB HBM3,uuid=GPU-1}"] == 1
    bare = samples(engine(snapshot(), kv_use_ratio=None, requests_running_max=None))
    assert not [one for one in bare if "kv_use" in one or "running_max" in one]


def test_checks_that_cannot_tell() -> None:
    assert samples(sick())["stoker_check_unknown{check=gpu_count}"] == 1
    assert not [one for one in samples(sick(), snapshot()) if "check_unknown" in one]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stoker_gpu_power_watts{uuid=GPU-1}", 73),
        ("stoker_gpu_utilization_ratio{uuid=GPU-1}", 0.07),
        ("stoker_gpu_recovery_action{uuid=GPU-1}", 1),
        ("stoker_gpu_thermal_slowdown_seconds_total{uuid=GPU-1}", 1.5),
        ("stoker_gpu_power_brake_seconds_total{uuid=GPU-1}", 0),
        ("stoker_gpu_ecc_errors_total{type=uncorrected,uuid=GPU-1}", 1),
        ("stoker_gpu_ecc_errors_total{type=corrected,uuid=GPU-1}", 12),
        ("stoker_gpu_row_remap_pending{uuid=GPU-1}", 1),
        ("stoker_gpu_row_remap_failed{uuid=GPU-1}", 0),
        ("stoker_gpu_pcie_lanes{uuid=GPU-1}", 8),
        ("stoker_gpu_pcie_lanes_max{uuid=GPU-1}", 16),
        ("stoker_gpu_pcie_generation{uuid=GPU-1}", 5),
        ("stoker_gpu_nvlinks_active{uuid=GPU-1}", 1),
        ("stoker_gpu_nvlink_errors_total{uuid=GPU-1}", 7),
        ("stoker_gpu_clock_reason{reason=hw_slowdown,uuid=GPU-1}", 1),
        ("stoker_gpu_clock_reason{reason=hw_thermal_slowdown,uuid=GPU-1}", 1),
        ("stoker_gpu_clock_reason{reason=sw_power_cap,uuid=GPU-1}", 0),
    ],
)
def test_what_the_driver_tells_of_a_gpu(name: str, value: float) -> None:
    assert samples(sick())[name] == pytest.approx(value)


def test_until_the_certificate_expires() -> None:
    name = "stoker_certificate_expiry_seconds{}"
    shown = snapshot(gateway=GatewayView(certificate_expires=2000.0), at=1500.0)
    assert samples(shown)[name] == 500
    assert name not in samples(snapshot())


def test_what_is_not_known_is_not_a_number() -> None:
    found = samples(sick())
    assert not [name for name in found if name.startswith("stoker_gpu") and "GPU-0" in name]
    assert not [name for name in found if "page_retirement" in name]
    assert not [name for name in found if "requests_running{" in name]
    nameless = nvml(2, uuid="", temperature=1)
    assert not [name for name in samples(snapshot(gpus=nameless)) if "celsius" in name]


# -- counters --------------------------------------------------------------------------------------


def test_what_happened_before_this_process_is_not_counted() -> None:
    found = samples(sick())
    assert not [n for n in found if n.startswith(("stoker_xid_total", "stoker_restarts_total"))]
    assert found["stoker_remedy_total{result=failed,rung=reboot}"] == 0
    assert found["stoker_source_gap_total{source=kernel}"] == 2  # but these are counted by it


def test_each_fault_counts_once() -> None:
    one, switch = incident(xid=79), incident("i-3", 12028, kind=Kind.SXID)
    told = msgspec.structs.replace(one, count=5)
    again = incident("i-2", 79, at=2000.0)
    shown = [
        snapshot(incidents=found)
        for found in ((), (one,), (told, switch), (judged(told, Remedy.REBOOT),), (told, again))
    ]
    found = samples(*shown)
    xids = {name: value for name, value in found.items() if name.startswith("stoker_xid_total")}
    assert xids == {"stoker_xid_total{uuid=GPU-0,xid=79}": 2}


def test_counters_never_fall() -> None:
    scraped = Scrapes(snapshot())
    counters = {f.name for f in scraped.families() if f.type in {"counter", "histogram"}}
    ours = tuple(name for name in counters if not name.startswith(("stoker_gpu", "stoker_engine")))
    last: dict[str, float] = {}
    for shown in (sick(), snapshot(log_gaps=0), sick(), snapshot(log_gaps=1), snapshot()):
        found = {n: v for n, v in scraped.show(shown).samples().items() if n.startswith(ours)}
        assert all(found[name] >= value for name, value in last.items())
        last = found
    assert last["stoker_source_gap_total{source=kernel}"] == 2


def phases(*told: tuple[Phase, float, dict[str, object]]) -> list[Snapshot]:
    """The same engine in one phase after the other."""
    base = snapshot(at=3000.0)
    return [engine(base, {"phase": phase, "since": since, **more}) for phase, since, more in told]


def test_the_drain_of_a_fault() -> None:
    serving, draining, drained = phases(
        (Phase.SERVING, 1.0, {}),
        (Phase.DRAINING, 1000.015, {"reason": "Xid79"}),
        (Phase.DRAINED, 1007.0, {"reason": "Xid79"}),
    )
    sign = condition(check="xid", reason="Xid79", since=1000.0)
    other = condition(check="xid", reason="Xid79", since=500.0, subject="gpu:GPU-1")
    draining = msgspec.structs.replace(draining, conditions=(sign, other))
    found = samples(serving, draining, draining, drained)
    assert found["stoker_detect_seconds_count{}"] == 1
    assert found["stoker_detect_seconds_sum{}"] == pytest.approx(0.015)
    assert found["stoker_detect_seconds_bucket{le=0.02}"] == 1
    assert found["stoker_drain_seconds_sum{engine=main}"] == pytest.approx(6.985)
    assert found["stoker_inflight_at_drain_sum{engine=main}"] == 4  # 3 run, 1 waits


@pytest.mark.parametrize("by", ["alice", "agent"])
def test_a_drain_without_a_fault_tells_nothing_of_detection(by: str) -> None:
    told = phases((Phase.SERVING, 1.0, {}), (Phase.DRAINING, 9.0, {"by": by, "reason": "Test"}))
    found = samples(*told)
    assert found["stoker_detect_seconds_count{}"] == 0
    assert found["stoker_inflight_at_drain_count{engine=main}"] == 1


START: dict[str, object] = {"last_start": 20.0, "starts": (20.0,), "reason": "CudaError"}
AGAIN: dict[str, object] = {"last_start": 30.0, "starts": (20.0, 30.0), "reason": "CudaError"}
UP = (Phase.SERVING, 40.0, {"last_start": 20.0})
WAS: tuple[Phase, float, dict[str, object]] = (Phase.SERVING, 1.0, {})


@pytest.mark.parametrize(
    ("told", "done", "failed"),
    [
        ([WAS, (Phase.STARTING, 20.0, START), UP], 1, 0),
        ([WAS, (Phase.STARTING, 20.0, START), (Phase.STARTING, 30.0, AGAIN), UP], 1, 1),
        ([WAS, (Phase.STARTING, 20.0, START), (Phase.QUARANTINED, 30.0, START)], 0, 1),
        ([WAS, (Phase.STARTING, 20.0, {**START, "starts": ()}), UP], 0, 0),  # a person's
    ],
)
def test_restarts_and_what_became_of_them(
    told: list[tuple[Phase, float, dict[str, object]]], done: int, failed: int
) -> None:
    found = samples(*phases(*told))
    assert found["stoker_restarts_total{engine=main,reason=CudaError}"] == max(1, done + failed)
    assert found["stoker_remedy_total{result=done,rung=restart}"] == done
    assert found["stoker_remedy_total{result=failed,rung=restart}"] == failed


def test_rungs_that_ended() -> None:
    run, done = attempt(), attempt(ended=950.0, outcome=Outcome.DONE)
    found = samples(*(snapshot(attempts=told) for told in ((), (run,), (done,), (done,), ())))
    assert found["stoker_remedy_total{result=done,rung=reset}"] == 1
    waiting = samples(snapshot(steps=(step("Inhibited"), step("Inhibited", subject="gpu:GPU-0"))))
    assert waiting["stoker_rung_waiting{reason=Inhibited,rung=reboot}"] == 2


async def test_a_life(tmp_path: Path) -> None:
    """The counters of an agent that drains for a person, restarts, and serves again."""
    node, scraped = Node(tmp_path), Scrapes()

    def listen(_: Snapshot | None, after: Snapshot) -> None:
        scraped.show(after)

    node.published.listen(listen)
    node.engine.value, node.nvml.value = look(in_flight=2), nvml()
    node.units.up["stoker-engine@main.service"] = True
    node.remember(phase=Phase.SERVING, last_start=1.0)
    node.loop.begin()
    await node.tick()
    node.ask(Verb.RESTART)
    await node.tick(10)
    node.engine.value = look(in_flight=0)
    for _ in range(6):
        await node.tick()
    found = scraped.samples()
    assert found["stoker_engine_phase{engine=main,phase=SERVING}"] == 1
    assert found["stoker_restarts_total{engine=main,reason=Requested}"] == 1
    assert found["stoker_inflight_at_drain_sum{engine=main}"] == 2
    assert found["stoker_drain_seconds_sum{engine=main}"] == 12
    assert found["stoker_detect_seconds_count{}"] == 0
