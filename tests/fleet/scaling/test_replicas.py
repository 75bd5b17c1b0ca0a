"""From what nodes say to replicas: unknown is not failed, and hosts must agree."""

import msgspec
import pytest

from agent.errors import SpecError
from agent.scaling_spec import ScalingSpec
from fleet.commands.nodes import Node
from fleet.scaling import replicas
from fleet.scaling.hpa import Replica, Standing
from tests.fleet.scaling.fleets import GONE, MISSING, READY, UNREADY, fleet, serving, specs


def standings(**nodes: Node) -> list[Standing]:
    found = replicas.of(specs(list(nodes)), fleet(**nodes))
    return [one.standing for one in found["org/model"]]


def test_what_each_node_is() -> None:
    late = msgspec.structs.replace(serving(3), late=60.0)
    gate = serving(3)
    assert gate.agent is not None
    engine = msgspec.structs.replace(gate.agent.engines["main"], gate_problem="cannot write")
    gate = Node(agent=msgspec.structs.replace(gate.agent, engines={"main": engine}))
    empty = Node(agent=msgspec.structs.replace(gate.agent, engines={}))  # type: ignore[type-var]
    assert standings(
        a=serving(3),
        b=Node(problem="cannot be reached over SSH"),
        c=late,
        d=serving(None),
        e=serving(3, "STARTING"),
        f=serving(3, "DRAINED"),
        g=serving(3, "QUARANTINED"),
        h=gate,
        i=empty,
    ) == [READY, MISSING, MISSING, MISSING, UNREADY, UNREADY, GONE, UNREADY, UNREADY]


def test_a_host_that_was_not_even_asked_is_unknown() -> None:
    found = replicas.of(specs(["a", "b"]), fleet(a=serving(1)))["org/model"]
    assert [one.standing for one in found] == [READY, MISSING]


def test_replicas_are_engines_by_the_name_that_clients_send() -> None:
    engines = {
        "chat": {"served_name": "chat"},
        "also": {"served_name": "chat", "port": 8081},
        "code": {"served_name": "code", "port": 8082},
    }
    made = specs(["a"], driver_gpu_count=3, engines=engines)
    found = replicas.of(made, fleet(a=serving(1)))
    assert {model: len(its) for model, its in found.items()} == {"chat": 2, "code": 1}


def test_hosts_of_one_model_must_agree() -> None:
    made = {**specs(["a"], scaling_max=4), **specs(["b"], scaling_max=8)}
    _, faults = replicas.wishes(made)
    assert faults == [
        "scaling_max: a says 4 and b 8, but both serve org/model; say it once, for all of them"
    ]
    own = {"org/model": {"max": 6}}
    made = {
        **specs(["a"], scaling_max=4, scaling_models=own),
        **specs(["b"], scaling_max=8, scaling_models=own),
    }
    wishes, faults = replicas.wishes(made)
    assert faults == []
    assert wishes["org/model"].max == 6


def test_who_is_missed_least_comes_first() -> None:
    its = (
        Replica(host="busy", engine="main", standing=READY, waiting=3, running=5),
        Replica(host="unknown", engine="main", standing=MISSING),
        Replica(host="idle", engine="main", standing=READY),
        Replica(host="dead", engine="main", standing=GONE),
        Replica(host="idle", engine="other", standing=READY),
    )
    assert replicas.by_use(its) == ("dead", "idle", "busy", "unknown")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            {"scaling_min": 5, "scaling_max": 2},
            "scaling_min, scaling_max: min = 5 is more than max = 2; raise max or lower min",
        ),
        (
            {"scaling_max": 4, "scaling_models": {"m": {"min": 6}}},
            "scaling_models['m']: min = 6 is more than max = 4; raise max or lower min",
        ),
        (
            {"scaling_up_percent": 0, "scaling_up_replicas": 0},
            "scaling_up_percent, scaling_up_replicas: both are 0, so nothing could ever be added",
        ),
        (
            {"scaling_target_queue": 0},
            "scaling_target_queue = 0: expected waiting requests for each replica, over 0",
        ),
        ({"scaling_tolerance": 1}, "scaling_tolerance = 1: expected a share, 0 to less than 1"),
        ({"scaling_down_percent": 150}, "scaling_down_percent = 150: expected 1 to 100"),
        ({"scaling_min": 0}, "scaling_min = 0: expected a whole number, 1 or more"),
    ],
)
def test_wrong_settings_get_one_sentence(data: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        specs(["a"], **data)
    assert str(caught.value) == f"a: {sentence}"


def test_the_share_of_one_engine() -> None:
    wish = ScalingSpec(target_queue=8)
    assert wish.share("m", 12) == 1.5
    assert wish.share("m", 0) == 0.0
    assert wish.share("m", None) is None
