"""Which engines get a copy that serves while they change."""

from typing import Any

import pytest
from msgspec.structs import replace

from agent.errors import SpecError
from agent.spec import HostSpec, digest
from fleet import copies
from fleet.facts.engines import Condition, Engine, Gpu, Gpus, State, Status
from tests.fleet.samples import ENGINE, spec

IMAGE = "example/engine@sha256:" + "b" * 64


def serving(made: HostSpec, **other: Any) -> Status:
    """All engines of a spec, as they serve with settings of before."""
    engines = {
        name: Engine(State("SERVING"), "old", engine.model, engine.name_served, engine.port)
        for name, engine in made.engines.items()
    }
    return Status({**engines, **other})


def added(made: HostSpec, status: Status, *elsewhere: str, known: bool = True) -> dict[str, int]:
    """Return the copies and their ports."""
    both = copies.beside(made, status, elsewhere if known else None)
    return {name: both.engines[name].port for name in both.engines.keys() - made.engines.keys()}


def test_a_copy_has_the_new_settings_and_a_port_of_its_own() -> None:
    made = spec(driver_gpu_count=2)
    both = copies.beside(made, serving(made), ())
    assert both.engines["main"] == made.engines["main"]
    copy = both.engines["main-copy"]
    assert (copy.port, copy.image, copy.name_served) == (
        18080,
        made.engines["main"].image,
        "org/model",
    )
    assert (
        HostSpec.from_data("gpu-1", {**ENGINE, "driver_gpu_count": 2}) == made
    )  # and is not touched


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"driver_gpu_count": 1}, "0 GPU(s) are free, 1 are needed"),
        ({"driver_gpu_count": 3, "engine_gpus": 2}, "1 GPU(s) are free, 2 are needed"),
        ({"driver_gpu_count": 2, "engine_gpus": 0}, "it has no GPU"),
        (
            {"driver_gpu_count": 2, "driver_mig": {"1": ("1g.10gb",)}},
            "0 GPU(s) are free, 1 are needed",
        ),
        (
            {
                "driver_gpu_count": 2,
                "engine_lora_adapters": {"a": "org/a@" + "d" * 40},
                "engine_lora_rank": 8,
            },
            "it has LoRA adapters, of which the one that runs may have others",
        ),
    ],
)
def test_where_no_copy_can_serve(data: dict[str, Any], why: str) -> None:
    made = spec(**data)
    assert added(made, serving(made)) == {}
    assert copies.obstacles(made, ["main"], serving(made)) == {"main": why}


def seen(made: HostSpec, *gpus: Gpu, conditions: tuple[Condition, ...] = (), **of: str) -> Status:
    """What the agent tells of GPUs; `of` maps engines to the one that they run on."""
    known = serving(made).engines
    engines = {
        name: replace(known.get(name, known["main"]), gpus=(uuid,)) for name, uuid in of.items()
    }
    return Status({**known, **engines}, Gpus(gpus), conditions)


OURS, IDLE = Gpu("a", (7,)), Gpu("b", ())


@pytest.mark.parametrize(
    ("gpus", "conditions", "free"),
    [
        ((OURS, IDLE), (), True),
        ((OURS, IDLE), (Condition("gpu:b"), Condition("gpu:a", "reboot")), True),
        ((OURS, IDLE), (Condition("gpu:b", "restart"),), True),
        ((OURS, IDLE), (Condition("gpu:b", "reset"),), False),
        ((OURS,), (), False),  # one fell off
        ((OURS, Gpu("b", (9,))), (), False),  # somebody else computes on it
        ((OURS, Gpu("b", None)), (), True),  # nobody knows who does
        ((OURS, Gpu("b", error=15)), (), False),
        ((OURS, Gpu("b", mig=True)), (), False),
    ],
)
def test_a_gpu_that_is_ill_or_in_use_is_not_free(
    gpus: tuple[Gpu, ...], conditions: tuple[Condition, ...], free: bool
) -> None:
    made = spec(driver_gpu_count=2)
    status = seen(made, *gpus, conditions=conditions, main="a")
    why = "0 GPU(s) are free, 1 are needed; 1 more are out of service, or somebody else's"
    assert copies.obstacles(made, ["main"], status) == {"main": None if free else why}


def test_a_copy_of_a_run_that_was_interrupted_goes_on() -> None:
    made = spec(driver_gpu_count=2)
    status = seen(made, OURS, Gpu("b", (8,)), main="a", copy="b")
    engines = {"main": status.engines["main"], "main-copy": status.engines["copy"]}
    status = replace(status, engines=engines)
    assert added(made, status) == {"main-copy": 18080}


def test_an_engine_that_gives_gpus_up_holds_them_still() -> None:
    made = spec(driver_gpu_count=2)
    status = seen(made, OURS, Gpu("b", (7,)))
    main = replace(status.engines["main"], gpus=("a", "b"))
    assert added(made, replace(status, engines={"main": main})) == {}


@pytest.mark.parametrize("phase", ["STARTING", "QUARANTINED", "SERVING"])
@pytest.mark.parametrize("strategy", [None, "swap", "blue/green"])
def test_a_copy_that_may_be_all_that_serves_stays_till_the_engine_does(
    phase: str, strategy: str | None
) -> None:
    made = spec(driver_gpu_count=2, rollout_strategy=strategy)
    now = digest(made.engines["main"])
    settings = digest(replace(made.engines["main"], port=18080))
    main = Engine(State(phase), now, "org/model", "org/model", 8080)
    copy = Engine(State("SERVING"), settings, "org/model", "org/model", 18080)
    status = Status({"main": main, "main-copy": copy})
    for known in (True, False):
        assert added(made, status, "org/model", known=known) == {"main-copy": 18080}
    for other in (replace(copy, running_digest="old"), replace(copy, state=State("DRAINED"))):
        assert added(made, Status({"main": main, "main-copy": other})) == {}


def test_of_two_copies_the_one_that_is_left_is_known_again() -> None:
    engines = {"chat": {"gpus": 1}, "code": {"gpus": 1, "port": 8081, "served_name": "code"}}
    made = spec(driver_gpu_count=4, engines=engines)
    both = copies.beside(made, serving(made), ())
    now = {
        name: Engine(State("SERVING"), digest(one), one.model, one.name_served, one.port)
        for name, one in both.engines.items()
    }
    del now["chat-copy"]
    assert added(made, Status(now)) == {"code-copy": 18081}


def test_a_node_that_goes_back_by_itself_takes_the_quick_way() -> None:
    made = spec(driver_gpu_count=2)
    assert added(made, serving(made), known=False) == {}
    made = spec(driver_gpu_count=2, rollout_strategy="blue/green")
    assert added(made, serving(made), known=False) == {"main-copy": 18080}


def test_what_is_to_start_anyway_has_the_first_choice() -> None:
    engines = {"main": {"gpus": 1}, "new": {"gpus": 1, "port": 8081, "served_name": "x"}}
    made = spec(driver_gpu_count=3, engines=engines)
    status = seen(made, OURS, IDLE, Gpu("c", (9,)), main="a")
    status = replace(status, engines={"main": status.engines["main"]})
    assert added(made, status) == {}
    assert added(made, replace(status, gpus=Gpus((OURS, IDLE, Gpu("c"))))) == {"main-copy": 18080}


def test_what_clients_call_it_and_where_it_listens_stay_the_same() -> None:
    made = spec(driver_gpu_count=2)
    renamed = Status({"main": Engine(State("SERVING"), "old", "org/model", "org/other", 8080)})
    moved = Status({"main": Engine(State("SERVING"), "old", "org/model", "org/model", 8090)})
    assert copies.obstacles(made, ["main"], renamed) == {
        "main": "clients are to call its model by another name"
    }
    assert copies.obstacles(made, ["main"], moved) == {"main": "its port changes"}


@pytest.mark.parametrize(
    "engine",
    [
        Engine(State("STARTING"), "old", "org/model", "org/model", 8080),
        Engine(State("QUARANTINED"), "old", "org/model", "org/model", 8080),
        Engine(State("DRAINED"), "old", "org/model", "org/model", 8080),
        Engine(State("DRAINING", "ann", "maintenance"), "old", "org/model", "org/model", 8080),
    ],
)
def test_only_an_engine_that_serves_and_is_restarted_needs_one(engine: Engine) -> None:
    made = spec(driver_gpu_count=2)
    assert added(made, Status({"main": engine})) == {}


def test_nothing_is_begun_where_somebody_is_at_an_engine() -> None:
    engines = {"chat": {"gpus": 1}, "code": {"gpus": 1, "port": 8081, "served_name": "code"}}
    made = spec(driver_gpu_count=4, engines=engines)
    held = Engine(State("DRAINING", "ann", "maintenance"), "old", "org/model", "code", 8081)
    assert added(made, serving(made)) == {"chat-copy": 18080, "code-copy": 18081}
    assert added(made, serving(made, code=held)) == {}


def test_an_engine_that_stays_gets_none() -> None:
    made = spec(driver_gpu_count=2)
    now = digest(made.engines["main"])
    same = Status({"main": Engine(State("SERVING"), now, "org/model", "org/model", 8080)})
    assert added(made, same) == {}


def test_the_first_has_the_choice_of_the_gpus() -> None:
    engines = {"chat": {"gpus": 1}, "code": {"gpus": 1, "port": 8081, "served_name": "code"}}
    made = spec(driver_gpu_count=3, engines=engines)
    assert added(made, serving(made)) == {"chat-copy": 18080}


def test_other_hosts_are_enough_unless_the_operator_says_otherwise() -> None:
    made = spec(driver_gpu_count=2)
    assert added(made, serving(made), "org/model") == {}
    made = spec(driver_gpu_count=2, rollout_strategy="blue/green")
    assert added(made, serving(made), "org/model") == {"main-copy": 18080}
    made = spec(driver_gpu_count=2, rollout_strategy="swap")
    assert added(made, serving(made)) == {}


def test_a_name_that_is_taken_or_long_gives_another() -> None:
    engines = {"main": {"gpus": 1}, "main-copy": {"gpus": 0, "port": 9000, "served_name": "x"}}
    made = spec(driver_gpu_count=2, engines=engines)
    assert set(added(made, serving(made))) == {"main-copy2"}
    made = spec(driver_gpu_count=2, engines={"a" * 31: {"gpus": 1}})
    assert set(added(made, serving(made))) == {"a" * 26 + "-copy"}


def test_ports_of_others_are_left_alone() -> None:
    made = spec(driver_gpu_count=2, agent_port=18080, agent_check_port=18081)
    assert added(made, serving(made)) == {"main-copy": 18082}
    made = spec(driver_gpu_count=2, engine_port=65535)
    assert added(made, serving(made)) == {"main-copy": 1024}


def test_who_wants_it_where_it_can_never_be_is_told() -> None:
    full = spec(driver_gpu_count=1, rollout_strategy="blue/green")
    assert list(copies.faults({"gpu-1": full})) == [
        "gpu-1: rollout_strategy = 'blue/green': no copy of engine main can serve beside it: "
        "0 GPU(s) are free, 1 are needed; with None it is rolled or swapped"
    ]
    assert not list(copies.faults({"gpu-1": spec(driver_gpu_count=1)}))
    assert not list(
        copies.faults({"gpu-1": spec(driver_gpu_count=2, rollout_strategy="blue/green")})
    )


def test_a_word_that_is_no_strategy_is_refused() -> None:
    with pytest.raises(SpecError, match="rollout_strategy"):
        spec(rollout_strategy="blue-green")
