"""The boundaries that the design rests on, read off the imports."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from agent.checks import CHECKS
from agent.doctor.examinations import EXAMINATIONS
from agent.engines import ENGINES

ROOT = Path(__file__).resolve().parents[1]
WORLD = {"asyncio", "time", "os", "random", "subprocess", "socket", "aiohttp", "pynvml", "docker"}
PURE = [
    "agent/model.py",
    "agent/decide.py",
    "agent/obey.py",
    "agent/moves.py",
    "agent/budget.py",
    "agent/attempts.py",
    "agent/ladder.py",
    "agent/clearing.py",
    "agent/standstill.py",
    "agent/slots.py",
    "agent/brake.py",
    "agent/waits.py",
    "agent/facts.py",
    "agent/state.py",
    "agent/trends.py",
    "agent/pace.py",
    "agent/speed.py",
    "agent/publishing.py",
    "agent/balancer.py",
    "agent/news.py",
    "agent/why.py",
    "agent/webhook_queue.py",
    "agent/webhook_signature.py",
    "agent/conditions.py",
    "agent/observe.py",
    "agent/spec.py",
    "agent/engine_spec.py",
    "agent/peers.py",
    "agent/balancer_spec.py",
    "agent/monitoring_spec.py",
    "agent/spec_types.py",
    "agent/scaling_spec.py",
    "agent/served.py",
    *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "agent/planner").glob("*.py"))),
    "agent/flat.py",
    "agent/rules.py",
    "agent/networks.py",
    "agent/kernel_settings.py",
    "agent/doctor/finding.py",
    "agent/doctor/secrets.py",
    "agent/doctor/text.py",
    *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "agent/doctor/examinations").glob("*.py"))),
    "agent/snapshot.py",
    "agent/page/document.py",
    "agent/page/history.py",
    "agent/show.py",
    "agent/runner/course.py",
    "agent/runner/network.py",
    "fleet/applying.py",
    "fleet/commands/brake_text.py",
    "fleet/dashboard/rows.py",
    "fleet/dashboard/targets.py",
    *(
        f"fleet/scaling/{name}.py"
        for name in ("hpa", "course", "replicas", "reason", "telling", "event", "rounds", "text")
    ),
    *(
        f"fleet/kubernetes/{name}.py"
        for name in ("models", "objects", "pod", "probes", "scaler", "text", "values", "weights")
    ),
    "fleet/rollout.py",
    "fleet/gateway.py",
    "fleet/peering.py",
    "fleet/balancer.py",
    "fleet/balancer_backends.py",
    "agent/mig/layout.py",
    "fleet/docker_fitness.py",
    "fleet/fitness.py",
    "fleet/firewall.py",
    *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "fleet/driver").glob("*.py"))),
    "fleet/keys.py",
    "fleet/takeover.py",
    "fleet/plan/takeovers.py",
    "fleet/facts/foreign_look/config.py",
    *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "agent/engines").glob("*.py"))),
    *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "agent/checks").glob("[a-z]*.py"))),
    *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "agent/xid").glob("*.py"))),
]


NO_CHECKS = {"base", "gpu", "trended", "worst"}  # what checks have in common


def imports(path: Path) -> set[str]:
    """Top-level names of everything that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_do_not_touch_the_world(name: str) -> None:
    assert not imports(ROOT / name) & WORLD


def test_agent_never_imports_the_deploy() -> None:
    for path in (ROOT / "agent").rglob("*.py"):
        assert not imports(path) & {"fleet", "pyinfra", "jinja2", "tests"}, path


def test_the_serving_process_never_loads_the_driver_library_or_heavy_ones() -> None:
    program = "import sys, agent.__main__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"pynvml", "docker", "huggingface_hub"} & set(done.stdout.split())


def test_every_check_is_registered() -> None:
    files = {p.stem for p in (ROOT / "agent/checks").glob("[a-z]*.py")}
    assert files >= NO_CHECKS
    assert {check.name for check in CHECKS} == files - NO_CHECKS


def test_every_examination_is_registered() -> None:
    files = {p.stem for p in (ROOT / "agent/doctor/examinations").glob("[a-z]*.py")}
    assert {type(one).__module__.rpartition(".")[2] for one in EXAMINATIONS} == files


def test_every_engine_is_registered() -> None:
    for kind, engine in ENGINES.items():
        assert importlib.import_module(f"agent.engines.{kind}")
        assert engine.kind == kind


@pytest.mark.parametrize("program", ["agent", "fleet"])
def test_files_stay_small(program: str) -> None:
    sizes = {p: len(p.read_text().splitlines()) for p in (ROOT / program).rglob("*.py")}
    assert {str(p): lines for p, lines in sizes.items() if lines > 250} == {}


def test_no_test_patches_modules() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert "mock" not in imports(path), path
            assert "monkeypatch.setattr" not in path.read_text(), path
