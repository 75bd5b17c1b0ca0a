"""Model names, replicas, and what the gateway could not tell apart."""

from typing import Any

import pytest

from agent import served
from agent.errors import SpecError
from agent.spec import HostSpec
from tests.fleet.samples import ENGINE

PIN = "org/adapter@" + "b" * 40
ADAPTED = {"lora_adapters": {"sql": PIN}}


def host(**engines: dict[str, Any]) -> HostSpec:
    """Make a spec of engines that need no GPU, each with a port of its own."""
    made = {
        name: {"gpus": 0, "port": 8080 + number, **engine}
        for number, (name, engine) in enumerate(engines.items())
    }
    return HostSpec.from_data("gpu-1", {**ENGINE, "driver_gpu_count": 0, "engines": made})


def pools(**engines: dict[str, Any]) -> tuple[served.Pool, ...]:
    """Return the pools of such a host."""
    return served.pools(host(**engines).engines)


def test_engines_with_one_name_are_replicas_and_adapters_are_models_too() -> None:
    found = pools(
        a={"served_name": "chat", "max_total_tokens": 9000, **ADAPTED},
        b={},
        c={"served_name": "chat", **ADAPTED},
    )
    assert found == (
        served.Pool(name="a", models=("chat", "sql"), engines=("a", "c"), length=8192),
        served.Pool(name="b", models=("org/model",), engines=("b",), length=8192),
    )


@pytest.mark.parametrize(
    ("engines", "said"),
    [
        ({"a": {"served_name": 'x"; return 200'}}, "engine a: the model name 'x\"; return 200'"),
        ({"a": {"served_name": "$host"}}, "'$host': has 1 to 200 of letters"),
        ({"a": {"served_name": "x\n"}}, "the model name 'x\\n'"),
        ({"a": {"served_name": "/x"}}, "the model name '/x'"),
        ({"a": {"served_name": "x" * 201}}, "has 1 to 200"),
        ({"a": {"lora_adapters": {"a b": PIN}}}, "the model name 'a b'"),
        ({"a": {**ADAPTED}, "b": {}}, "engine b: lora_adapters: serves the model name"),
        (
            {"a": {"served_name": "x", **ADAPTED}, "b": {"served_name": "y", **ADAPTED}},
            "the model name 'sql': engines a and b both have it",
        ),
        ({"a": {**ADAPTED}, "b": {"served_name": "sql"}}, "'sql': engines a and b both have it"),
        (
            {"a": {"served_name": "sql", **ADAPTED}},
            "lora_adapters['sql']: is the name of the model",
        ),
        ({f"e{n}": {} for n in range(7)}, "serve the same model name 'org/model'; the gateway"),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused(engines: Any, said: str) -> None:
    with pytest.raises(SpecError) as error:
        host(**engines)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_six_replicas_are_as_many_as_there_may_be() -> None:
    assert len(pools(**{f"e{n}": {} for n in range(served.REPLICAS)})[0].engines) == 6
