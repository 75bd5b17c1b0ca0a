"""The agent of a host without engines: a balancer is well, and says so to whoever asks."""

from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from msgspec.structs import replace

from agent import api, asking, balancer
from agent.certificate import Validity
from agent.checks.certificate import Certificate
from agent.checks.services import Services
from agent.ctl import _why
from agent.doctor.examinations.dockerd import Dockerd, DockerReading
from agent.errors import SourceError, SpecError, StokerError
from agent.model import Phase, Status, Verb
from agent.show import status
from agent.sources import Edges
from agent.sources.host import HostReading
from agent.spec import HostSpec, load
from tests.agent.fakes import FakeSource
from tests.agent.node import Node

NONE = {"engines": {}, "driver_gpu_count": 0}
SPEC = HostSpec.from_data("lb-1", {**NONE, "balancer_enabled": True})


class Bare(Node):
    """One without Docker."""

    @property
    def edges(self) -> Edges:
        return replace(
            super().edges,
            engines={},
            host=FakeSource(HostReading(units={"docker.service": ""})),
        )


@pytest.fixture
async def node(tmp_path: Path) -> Node:
    made = Bare(tmp_path, SPEC)
    made.loop.begin()
    await made.tick()
    return made


def test_only_a_host_with_a_role_may_have_none() -> None:
    assert load(SPEC.dump()) == SPEC
    assert SPEC.roles == ("balancer",)
    with pytest.raises(SpecError, match=r"engines = \{\}: expected .*balancer_enabled"):
        HostSpec.from_data("gpu-1", NONE)
    with pytest.raises(SpecError, match="driver_gpu_count = 1: a host without engines"):
        HostSpec.from_data("lb-1", {"engines": {}, "monitoring_enabled": True})


async def test_it_is_well_and_remembers_its_boot(node: Node) -> None:
    shown = node.shown
    assert (shown.phase, shown.reason, shown.engines) == (Phase.SERVING, "NoEngines", {})
    assert shown.roles == ("balancer",)
    assert "lb-1: SERVING  NoEngines\n  this host has no engine, and is well" in status(shown, 0)
    assert not shown.conditions
    assert not shown.checks_unknown
    saved = node.store.load()
    assert saved is not None
    assert saved.boot == "boot-1"


async def test_what_ran_here_before_is_stopped(tmp_path: Path) -> None:
    made = Bare(tmp_path, SPEC)
    made.remember(phase=Phase.SERVING)
    made.loop.begin()
    await made.tick()
    assert made.acts == ["stop stoker-engine@main.service"]
    assert made.shown.reason == "NoEngines"


async def test_whoever_asks_gets_an_answer(node: Node) -> None:
    assert balancer.told(node.shown, None) == "up ready 100%\n"
    assert balancer.told(node.shown, "main").startswith("down drain")
    reads = api.Reads(node.published, 1.0)
    node.published.show(node.shown)
    async with TestClient(TestServer(api.application(reads))) as http:
        answer = await http.get("/readyz")
        assert (answer.status, await answer.text()) == (
            200,
            "SERVING NoEngines: this host has no engine, and is well\n",
        )
        metrics = await http.get("/metrics")
        assert metrics.status == 200


async def test_there_is_nothing_to_drain_and_nothing_to_explain(node: Node) -> None:
    class Agent:
        def status(self) -> object:
            return node.shown

    class Options:
        engine = None

    with pytest.raises(StokerError, match="no engine"):
        asking.ask(Agent(), Verb.DRAIN, Options(), lambda _: None)  # type: ignore[arg-type]
    with pytest.raises(StokerError, match="no engine"):
        _why(Agent(), Options())  # type: ignore[arg-type]


async def test_neither_docker_nor_a_gateway_is_missed(node: Node) -> None:
    eye = HostSpec.from_data("eye-1", {**NONE, "monitoring_enabled": True})
    assert not Certificate().judge(("no such file", 0.0), eye)
    [found] = Services().judge(HostReading(units={"docker.service": ""}), SPEC)
    assert found.status is Status.OK
    assert not list(Dockerd().judge(DockerReading(), SPEC, 0.0))


def test_of_a_balancer_its_own_certificate_counts() -> None:
    [found] = Certificate().judge((Validity(begins=0.0, ends=86400.0 * 90), 86400.0 * 88.5), SPEC)
    assert found.message == (
        "urgent: the certificate of the balancer expires in 36 hours: "
        "put a new one into balancer_tls_cert_file and deploy"
    )
    with pytest.raises(SourceError, match="no such file"):
        Certificate().judge(("no such file", 0.0), SPEC)
