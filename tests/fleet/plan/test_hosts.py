"""The plan of one host, put together from what was seen and what is known."""

from typing import Any

import pytest

from agent.spec import digest
from agent.weights.lock import Locked
from agent.weights.plan import File
from fleet.disruption import Disruption
from fleet.facts.engines import Engine, State, Status
from fleet.plan.changes import Planned
from fleet.plan.document import HostPlan
from fleet.plan.hosts import host
from fleet.plan.seen import NOT_ASKED, Seen
from tests.fleet.plan.samples import GIB, KEY, ROOT, bare, given, known
from tests.fleet.samples import spec

WEIGHTS = f"{ROOT}/org--model/{'c' * 40}"
LOCK = [
    Locked(
        repo=KEY[0],
        commit=KEY[1],
        parameters={},
        files=(
            File(path="model.safetensors", size=100 * GIB, blob="a" * 40),
            File(path="config.json", size=10, blob="b" * 40),
            File(path="model.py", size=5, blob="d" * 40),
        ),
    )
]
FETCH = "fetch the weights of main: org/model"


def seen(*operations: Planned, **changes: Any) -> Seen:
    given: dict[str, Any] = {"contact": "looked at", "bare": bare(), "operations": operations}
    return Seen(**{**given, **changes})


def op(stage: str, name: str, *, changes: bool = True) -> Planned:
    return Planned(stage=stage, name=name, changes=changes)


def plan(look: Seen, lock: list[Locked] | None = None, **data: Any) -> HostPlan:
    made = spec(driver_gpu_count=8, **{"engine_gpus": 4, **data})
    return host(made, look, lock or [], given())


def status(phase: str, running: str | None) -> Status:
    engine = Engine(state=State(phase=phase), running_digest=running)
    return Status(engines={"main": engine})


SAME = digest(spec(driver_gpu_count=8, engine_gpus=4).engines["main"])


@pytest.mark.parametrize(
    ("found", "act", "strategy"),
    [
        (Status(), "start", None),
        (status("SERVING", SAME), "nothing", None),
        (status("SERVING", "old"), "restart", "swap"),
        (status("SERVING", None), "held", "swap"),
        (status("QUARANTINED", SAME), "start", None),
        (status("STARTING", SAME), "nothing", None),
    ],
)
def test_what_happens_to_an_engine(found: Status, act: str, strategy: str | None) -> None:
    [engine] = plan(seen(op("engine", "roll gpu-1"), status=found)).engines
    assert engine.act == act
    assert (engine.strategy.kind if engine.strategy else None) == strategy
    assert (engine.gap is None) == (act == "nothing")


def test_a_host_that_was_not_asked_is_planned_for_all_the_same() -> None:
    found = plan(NOT_ASKED, driver_gpu_type="H100-SXM")
    assert (found.contact, found.stages, found.disruption) == ("not asked", None, None)
    assert (found.gpus.card, found.gpus.source) == ("H100-SXM", "declared")
    [engine] = found.engines
    assert engine.act is None
    assert engine.memory is not None
    assert engine.memory.fits == "yes"
    assert found.problems == ()


def test_where_nothing_serves_nothing_is_disrupted() -> None:
    found = plan(seen(op("driver", "install it")))
    assert found.disruption is Disruption.NONE
    serving = seen(op("driver", "install it"), bare=bare(engines=("main",)))
    assert plan(serving).disruption is Disruption.REBOOT


@pytest.mark.parametrize(
    ("look", "lock", "sizes"),
    [
        (NOT_ASKED, LOCK, [(100 * GIB + 10, "lock")]),
        (seen(op("model", FETCH)), LOCK, [(100 * GIB + 10, "lock")]),
        (seen(op("model", FETCH, changes=False)), LOCK, []),
        (seen(op("model", FETCH), bare=bare(weights=(WEIGHTS,))), LOCK, []),
        (NOT_ASKED, [], [(given().known.checkpoints[KEY].bytes, "config")]),
    ],
)
def test_what_is_to_be_downloaded(
    look: Seen, lock: list[Locked], sizes: list[tuple[int, str]]
) -> None:
    assert [(one.bytes, one.source) for one in plan(look, lock).downloads] == sizes


def test_the_models_own_code_is_only_counted_where_it_is_trusted() -> None:
    [download] = plan(NOT_ASKED, LOCK, engine_trust_remote_code=True).downloads
    assert download.bytes == 100 * GIB + 15


def test_a_model_of_two_engines_is_downloaded_once() -> None:
    engines = {"a": {"gpus": 4}, "b": {"gpus": 4, "port": 8081}}
    assert len(plan(NOT_ASKED, engines=engines).downloads) == 1


def test_a_disk_that_is_too_small_is_a_problem_before_the_first_byte() -> None:
    found = plan(seen(op("model", FETCH), bare=bare(free={ROOT: 50 * GIB})), LOCK)
    [problem] = found.problems
    assert problem.startswith("no room for the weights: they need 118.11 GB")


def test_what_does_not_fit_is_a_problem_once() -> None:
    found = plan(NOT_ASKED, driver_gpu_type="H100-SXM", engine_gpus=1)
    [problem] = found.problems
    assert "does not fit on 1 × H100-SXM" in problem
    again = plan(seen(problems=(problem,)), engine_gpus=1)
    assert again.problems == (problem,)


@pytest.mark.parametrize(
    ("look", "data", "said"),
    [
        (NOT_ASKED, {}, "the type of the GPUs is not known: no driver answers yet"),
        (seen(), {"driver_gpu_type": "H200"}, "driver_gpu_type is H200, but the driver reports H1"),
        (seen(), {}, "4 of 8 GPUs are used by no engine"),
    ],
)
def test_a_host_warns(look: Seen, data: dict[str, Any], said: str) -> None:
    assert any(warning.startswith(said) for warning in plan(look, **data).warnings)


def test_why_nobody_can_tell_whether_it_fits() -> None:
    made = spec(driver_gpu_count=8)
    found = host(made, seen(), [], given(problem="the Hub limits our requests"))
    [engine] = found.engines
    assert engine.memory is None
    assert engine.warnings == ("whether it fits is not known: the Hub limits our requests",)
    assert found.problems == ()


def test_of_a_host_that_cannot_be_reached_only_the_memory_is_planned() -> None:
    look = Seen(contact="unreachable", problems=("cannot be reached",))
    found = plan(look, driver_gpu_type="H100-SXM", engine_gpus=8)
    [engine] = found.engines
    assert (engine.act, engine.strategy, engine.gap) == (None, None, None)
    assert engine.memory is not None
    assert (found.stages, found.warnings) == (None, ())


def test_an_engine_without_a_gpu_has_no_memory_to_reckon() -> None:
    found = host(spec(driver_gpu_count=0, engine_gpus=0), seen(), [], given())
    assert found.engines[0].warnings == ("it has no GPU: its memory is not reckoned",)
    assert found.warnings == ()


def test_the_sample_is_known() -> None:
    assert known().checkpoints[KEY].drawn


def test_where_only_nginx_has_something_new_it_is_a_reload() -> None:
    same = status("SERVING", SAME)
    [engine] = plan(seen(op("gateway", "place keys"), status=same)).engines
    assert (engine.act, engine.gap) == ("nothing", None)
    assert engine.strategy is not None
    assert engine.strategy.kind == "reload"
    [engine] = plan(seen(op("gateway", "place keys", changes=False), status=same)).engines
    assert engine.strategy is None
