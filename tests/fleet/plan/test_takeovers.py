"""What the plan says of a container that is taken over, and of its weights."""

from typing import Any

import pytest
from msgspec.structs import replace

from agent.weights.lock import Locked
from agent.weights.plan import File
from fleet.disruption import Disruption
from fleet.facts.engines import Status
from fleet.facts.foreign import Container
from fleet.plan import text
from fleet.plan.document import Download, HostPlan, plan
from fleet.plan.hosts import host
from fleet.plan.takeovers import still_missing, takeovers, told
from tests.fleet.plan.samples import KEY, bare, given
from tests.fleet.plan.test_hosts import op, seen
from tests.fleet.samples import spec
from tests.fleet.test_takeover import TGI

NAMED: dict[str, Any] = {"runtime_take_over": ["tgi"]}


def lock(size: int) -> list[Locked]:
    file = File(path="a.safetensors", size=size, blob="b")
    return [Locked(repo=KEY[0], commit=KEY[1], parameters={}, files=(file,))]


def made(locked: list[Locked], *there: Container, **data: Any) -> HostPlan:
    look = seen(
        op("model", "fetch the weights of main: org/model"),
        op("takeover", "stop and remove container tgi"),
        bare=bare(containers=there),
        status=Status(),
    )
    return host(spec(**{**NAMED, **data}), look, locked, given())


def test_weights_in_its_cache_are_not_downloaded() -> None:
    found = made(lock(7), TGI)
    assert found.downloads == ()
    [taken] = found.takeovers
    [weights] = taken.weights
    assert (weights.cache, weights.bytes, weights.missing) == ("/root/data", 7, 0)
    assert taken.secrets == ("HF_TOKEN",)


def test_what_its_cache_lacks_is_downloaded() -> None:
    [download] = made(lock(9), TGI).downloads
    assert download.bytes == 9  # a file of another size is of no use
    [download] = made(lock(7), replace(TGI, name="other")).downloads
    assert download.bytes == 7


@pytest.mark.parametrize(("known", "left"), [(7, []), (10, [3]), (None, [None])])
def test_without_a_lock_the_known_size_tells(known: int | None, left: list[int | None]) -> None:
    taken = takeovers(spec(**NAMED), bare(containers=(TGI,)), [])
    download = Download(repo=KEY[0], commit=KEY[1], bytes=known, source="headers")
    assert [one.bytes for one in still_missing([download], taken)] == left


def test_the_gap_counts_and_the_stage_disrupts() -> None:
    found = made(lock(7), TGI)
    [engine] = found.engines
    assert engine.strategy is not None
    assert (engine.act, engine.strategy.kind, engine.strategy.reason) == (
        "start", "swap", "TakesOver",
    )  # fmt: skip
    assert engine.gap is not None
    assert engine.gap.felt
    assert "nobody serves this model" in engine.gap.message
    assert found.disruption is Disruption.RESTART


def test_one_that_does_not_run_is_missed_by_nobody() -> None:
    found = made(lock(7), replace(TGI, running=False))
    [engine] = found.engines
    assert engine.strategy is None
    assert found.disruption is Disruption.NONE


def test_it_is_one_sentence() -> None:
    [taken] = made(lock(7), replace(TGI, unit="llm.service", project="p", directory="/d")).takeovers
    assert told(taken) == (
        "container tgi (image tgi:3.3, port 0.0.0.0:8080, GPUs all (legacy)); 7 bytes of weights "
        "org/model@cccccccccccc are used from /root/data (which stays: to free it, rm -r "
        "/root/data/models--org--model), nothing is downloaded; it holds HF_TOKEN, for all to "
        "read: revoke what that is; llm.service, which starts it, is disabled; Compose would "
        "start it again: take it out of p in /d; it serves until images and weights are there, "
        "then stops, in at most 320 s, and is removed"
    )


def test_the_text_of_the_plan_has_it() -> None:
    whole = plan("inventory", (made(lock(7), TGI),), offline=False)
    said = text.render(whole, 100)
    assert "takes over  container tgi (image tgi:3.3" in said
    assert "legacy hook" in said
