"""Every object that is rendered is one to a real cluster's schema; a mutated one is not."""

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest

from agent.engines import ENGINES
from fleet.kubernetes import models, text
from fleet.kubernetes.models import Exported
from tests.fleet.kubernetes import schemas
from tests.fleet.kubernetes.samples import SPECS, specs

Json = dict[str, Any]


def exported(**data: Any) -> Exported:
    found, faults = models.of(specs(**data))
    assert faults == []
    return found[0]


def objects(claim: str | None = None, **data: Any) -> list[Json]:
    return text.objects_of(exported(**data), claim, 100)


def every(kind: str) -> Iterator[Exported]:
    """Every example of this kind of engine: all flags, parallel degrees, adapters, drafts."""
    base = exported(engine_kind=kind)
    for engine in SPECS[kind]:
        yield msgspec.structs.replace(base, engine=engine)


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("claim", [None, "filled"])
def test_every_object_of_every_example_is_valid(kind: str, claim: str | None) -> None:
    for model in every(kind):
        for made in text.objects_of(model, claim, 100):
            schemas.check(made)


def test_a_file_holds_the_very_objects() -> None:
    model = exported(engine_memory_gib=64, scaling_target_queue=0.5)
    head, *parts = text.of_model(model, None, 100).split("---\n")
    assert all(line.startswith("#") for line in head.splitlines())
    assert [msgspec.yaml.decode(part) for part in parts] == text.objects_of(model, None, 100)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each dict within that is no free map of words."""
    if isinstance(value, dict):
        if path[-1:] not in {("labels",), ("matchLabels",), ("limits",), ("requests",)}:
            yield path
        for key, one in value.items():
            yield from paths(one, (*path, key))
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from paths(one, (*path, number))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize("number", range(len(objects())))
def test_a_field_that_does_not_exist_is_found_wherever_it_is(number: int) -> None:
    good = objects(engine_memory_gib=64)[number]
    free = {"PodMonitor": ("metadata",), "Service": ("spec", "selector")}.get(good["kind"])
    found = [path for path in paths(good) if free is None or path[: len(free)] != free]
    assert len(found) >= 3
    for path in found:
        bad = copy.deepcopy(good)
        at(bad, path)["stoker"] = "x"
        with pytest.raises(jsonschema.ValidationError):
            schemas.check(bad)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "containers", 0, "ports", 0, "name"), 8),
        ("Deployment", ("spec", "strategy", "rollingUpdate", "maxSurge"), {}),
        ("Deployment", ("spec", "template", "spec", "enableServiceLinks"), "no"),
        ("Deployment", ("spec", "template", "spec", "containers", 0, "args"), "--x"),
        ("Service", ("spec", "ports", 0, "port"), "http"),
        ("HorizontalPodAutoscaler", ("spec", "maxReplicas"), "4"),
        ("HorizontalPodAutoscaler", ("spec", "metrics"), {}),
        ("PodMonitor", ("spec", "podMetricsEndpoints", 0, "interval"), 15),
        ("PodMonitor", ("spec", "selector"), None),
        ("NetworkPolicy", ("spec", "policyTypes"), "Ingress"),
        ("PodDisruptionBudget", ("spec", "selector"), []),
        ("PersistentVolumeClaim", ("spec", "accessModes"), "ReadWriteMany"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_found(kind: str, path: tuple[Any, ...], value: Any) -> None:
    bad = copy.deepcopy(next(one for one in objects() if one["kind"] == kind))
    at(bad, path[:-1])[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        schemas.check(bad)
