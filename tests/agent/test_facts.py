"""What is known of GPUs and of who uses them, as the judgement of a fault gets it."""

from collections.abc import Mapping

import pytest

from agent.facts import Facts, branch, buses, context_of, pids_on
from agent.model import EngineState, Remedy
from agent.sources.gpu import Gpu
from agent.xid.context import Context, Product
from agent.xid.fault import Action
from agent.xid.ledger import Ledger
from tests.agent.node import engine
from tests.agent.xid.making import GPU, NOW, OTHER
from tests.agent.xid.test_ledger import folded, settled, told

PLACES = {GPU: "GPU-A", OTHER: "GPU-B"}
ENGINES = {
    "one": engine(gpus=("GPU-A",)),
    "two": engine(gpus=("GPU-A", "GPU-B")),
    "cpu": engine(),
}


def context(
    facts: Facts,
    gpu: str = GPU,
    engines: Mapping[str, EngineState] = ENGINES,
    ledger: Ledger | None = None,
    group: str = "",
    overrides: Mapping[int, Remedy] | None = None,
) -> Context:
    known = ledger or Ledger()
    return context_of(facts, known, engines, PLACES, overrides or {}, NOW)(gpu, group)


@pytest.mark.parametrize(
    ("driver", "number"), [("595.91.07", 595), ("580", 580), ("", None), ("x.1", None)]
)
def test_the_branch_of_a_driver(driver: str, number: int | None) -> None:
    assert branch(driver) == number


def test_gpus_that_are_gone_keep_their_place() -> None:
    seen = (
        Gpu(index=0, uuid="GPU-A", pci="00000000:3B:00.0"),
        Gpu(index=1, uuid="", pci="00000000:5E:00.0"),  # lost: it does not tell its name
        Gpu(index=2, uuid="GPU-C"),
    )
    assert buses(seen, {OTHER: "GPU-B"}) == {GPU: "GPU-A", OTHER: "GPU-B"}
    exchanged = (Gpu(index=0, uuid="GPU-X", pci=OTHER),)
    assert buses(exchanged, PLACES) == {GPU: "GPU-A", OTHER: "GPU-X"}


ONE, TWO = frozenset({1, 2}), frozenset({3})


@pytest.mark.parametrize(
    ("gpu", "pids", "expected"),
    [
        (GPU, {"one": ONE, "two": TWO}, ONE | TWO),
        (GPU, {"one": ONE}, None),  # one of its engines is not seen: not known
        (OTHER, {"two": TWO}, TWO),
        (OTHER, {"one": ONE}, None),
        ("00000000:99:00", {"one": ONE, "two": TWO}, None),  # a GPU that is not known
    ],
)
def test_the_processes_of_the_engines_on_a_gpu(
    gpu: str, pids: dict[str, frozenset[int]], expected: frozenset[int] | None
) -> None:
    facts = Facts(pids=pids)
    assert context(facts, gpu).engine_pids == expected
    assert pids_on(facts, ENGINES, PLACES.get(gpu, "")) == expected


def test_a_known_gpu_without_an_engine_has_no_process_of_ours() -> None:
    found = context(Facts(), OTHER, engines={"one": ENGINES["one"]})
    assert found.engine_pids == frozenset()
    assert (found.probe, found.exited) == (None, False)


@pytest.mark.parametrize(
    ("facts", "probe", "exited"),
    [
        (Facts(), None, False),
        (Facts(answering={"cpu": True}), None, False),  # not on this GPU
        (Facts(answering={"two": False}), False, False),
        (Facts(answering={"two": True}, gone=frozenset({"one"})), True, True),
        (Facts(gone=frozenset({"cpu"})), None, False),
    ],
)
def test_what_the_engines_on_it_do(facts: Facts, probe: bool | None, exited: bool) -> None:
    found = context(facts)
    assert (found.probe, found.exited) == (probe, exited)


H100 = {"index": 0, "uuid": "GPU-A", "pci": GPU, "name": "NVIDIA H100 80GB HBM3"}


@pytest.mark.parametrize(
    ("gpu", "product"),
    [
        ({"remap_failed": False}, Product(name=H100["name"], nvswitch=True)),  # type: ignore[arg-type]
        ({"remap_failed": False, "mig": True}, Product(name=H100["name"], mig=True, nvswitch=True)),  # type: ignore[arg-type]
        ({}, Product(name=H100["name"], nvswitch=True)),  # type: ignore[arg-type]
        ({"retired_pending": False}, Product(name=H100["name"], row_remap=False, nvswitch=True)),  # type: ignore[arg-type]
    ],
)
def test_what_the_board_is(gpu: dict[str, bool], product: Product) -> None:
    seen = Gpu(**{**H100, **gpu})  # type: ignore[arg-type]
    assert context(Facts(gpus=(seen,), nvswitch=True)).product == product


def test_of_a_gpu_that_is_not_seen_nothing_is_known_but_its_engines() -> None:
    found = context(Facts(nvswitch=True, branch=595), OTHER)
    assert found.product == Product(nvswitch=True)
    assert (found.recovery, found.remap_failed, found.branch) == (None, None, 595)


@pytest.mark.parametrize(
    ("number", "action"), [(None, None), (0, Action.NONE), (1, Action.GPU_RESET), (99, None)]
)
def test_what_the_driver_asks_for(number: int | None, action: Action | None) -> None:
    facts = {**H100, "recovery_action": number, "remap_failed": True, "sram_threshold": False}
    seen = Gpu(**facts)  # type: ignore[arg-type]
    found = context(Facts(gpus=(seen,)))
    assert (found.recovery, found.remap_failed, found.sram_threshold) == (action, True, False)


def test_the_past_is_there_without_the_group_that_is_judged() -> None:
    ledger = settled(folded(told(31), told(79, 30.0)))
    groups = [one.group for one in ledger.open]
    assert len(context(Facts(), ledger=ledger).history) == 2
    assert [one.xid for one in context(Facts(), ledger=ledger, group=groups[0]).history] == [79]


def test_the_operators_orders_are_there() -> None:
    orders = {31: Remedy.NONE}
    assert context(Facts(), overrides=orders).overrides == orders
