"""A host without engines: what is not asked of it, and how it is shown."""

import ast
import time
from typing import Any

import msgspec

from agent.spec import HostSpec
from fleet import control_files, firewall, fitness, takeover, validate
from fleet.commands import status
from fleet.commands.status_text import render
from fleet.facts.bare import Bare, Listener
from fleet.facts.foreign import Container, HostPort
from fleet.models import locked
from fleet.plan import text
from fleet.plan.document import plan
from fleet.plan.hosts import host
from fleet.plan.seen import NOT_ASKED
from fleet.release import given
from fleet.render import ROOT
from tests.agent.shown import snapshot
from tests.fleet.commands.fakes import good
from tests.fleet.plan.samples import given as known

WEB = {"engines": {}, "driver_gpu_count": 0, "monitoring_enabled": True}
SPEC = HostSpec.from_data("eye-1", WEB)
GPU_STAGES = {"driver", "runtime", "model", "takeover", "gateway", "engine"}


def bare(**found: Any) -> Bare:
    return Bare(**{"os": "debian-13", "machine": "x86_64", "python": "3.13", **found})


def test_no_file_of_the_gateway_or_of_weights_is_asked_for() -> None:
    made = HostSpec.from_data("eye-1", {**WEB, "model_source_dir": "/no"})
    assert control_files.faults(made) == []
    assert locked.faults(made) == []
    assert given.paths(made) == ()
    assert validate.line(made) == "eye-1: ok (monitoring)"


def test_neither_docker_nor_room_for_images_is_needed() -> None:
    full = bare(docker=(18, 9), free={"/var/lib/docker": 0})
    assert list(fitness.problems(SPEC, full)) == []


def test_its_ports_are_shut_and_may_be_somebody_elses() -> None:
    names = [name for one in firewall.openings(SPEC, (22,)) for name in one.names]
    assert names == ["22/tcp"]
    web = (Listener(443, "caddy.service", "caddy"),)
    assert list(fitness.problems(SPEC, bare(listeners=web))) == []


def test_a_container_in_the_way_is_not_taken_over() -> None:
    one = Container(
        name="x", image="y", running=True, ports=(HostPort(address="0.0.0.0", port=9750),)
    )
    found = bare(containers=(one,), docker=(28, 2))
    [sentence] = takeover.refusals(SPEC, found)
    assert "runtime_take_over" not in sentence
    assert "container x (y) holds port 9750" in sentence
    named = HostSpec.from_data("eye-1", {**WEB, "runtime_take_over": ("x",)})
    assert takeover.chosen(named, found) == ()


def test_the_plan_and_the_screen_name_its_role() -> None:
    made = host(SPEC, NOT_ASKED, [], known())
    whole = plan("prod.py", (made,), offline=True)
    assert "eye-1: monitoring, no GPU" in text.render(whole, 100).splitlines()
    told = snapshot(engines={}, roles=("monitoring",), at=time.time())
    parts = f"\nstoker-part:agent\n{msgspec.json.encode(told).decode()}\nstoker-part:now\n0"
    fleet = status.fleet("prod.py", {"eye-1": good("eye-1", parts)})
    [_, row, *_] = render(fleet, time.time()).splitlines()
    assert row.split()[:4] == ["eye-1", "-", "-", "monitoring"]
    assert status.code(fleet) == 0


def test_stages_of_engines_stand_behind_the_question_for_them() -> None:
    tree = ast.parse((ROOT / "deploy.py").read_text())
    asked = [
        n for n in ast.walk(tree) if isinstance(n, ast.If) and _source(n.test) == "spec.engines"
    ]
    inside = {_stage(call) for one in asked for call in ast.walk(one)} - {None}
    assert inside == {*GPU_STAGES, "firewall"}  # firewall.after_takeover
    everywhere = {_stage(call) for call in ast.walk(tree)} - {None}
    roles = {"balancer", "monitoring"}
    assert everywhere - inside == {"preflight", "base", "release", "agent", "drift"} | roles


def _source(node: ast.expr) -> str:
    return ast.unparse(node)


def _stage(node: ast.AST) -> str | None:
    """Return the stage of which a node calls something with the spec."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        of = node.func.value
        return (
            of.id
            if isinstance(of, ast.Name) and of.id not in {"specs", "host", "batching"}
            else None
        )
    return None
