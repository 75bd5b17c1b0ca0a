"""`stoker plan` as an operator runs it, on the example that needs no network."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fleet.plan.document import Plan
from fleet.render import ROOT
from tests.fleet.samples import ENGINE
from tests.fleet.tls_pairs import good

EXAMPLE = "inventory/example_offline.py"
GUIDE = ROOT / "docs" / "plan.md"
SCHEMA = Path(__file__).parent / "schema.json"
# As good as a host that is down: nothing listens there.
CLOSED = {"ssh_hostname": "127.0.0.1", "ssh_port": 1}
HERE = {"_sudo": False}


def stoker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fleet.cli", "plan", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def document(*arguments: str) -> tuple[int, Plan]:
    done = stoker(*arguments, "--json")
    assert "Traceback" not in done.stderr
    return done.returncode, msgspec.json.decode(done.stdout, type=Plan)


def inventory(directory: Path, **hosts: dict[str, Any]) -> str:
    secret = directory / "secret"
    secret.write_text("sk-0123456789abcdef\n")
    secret.chmod(0o600)
    files = {**good(directory), "gateway_keys_file": str(secret)}
    common = {**ENGINE, **files, "driver_gpu_count": 0}
    common |= {"engine_gpus": 0, "model_lock_file": None}
    made = [(name.replace("_", "-"), {**common, **data}) for name, data in hosts.items()]
    made = [("@local" if name == "here" else name, data) for name, data in made]
    path = directory / "fleet_test.py"
    path.write_text(f"hosts = {made!r}\n")
    return str(path)


def test_the_example_prints_its_tables() -> None:
    done = stoker(EXAMPLE, "--offline")
    assert (done.returncode, done.stderr) == (2, "")
    for said in (
        "h100-1.example.org, h100-2.example.org: 8 × H100-SXM (declared)",
        "a100-1.example.org: 4 × A100-80-SXM (declared)",
        "h200-1.example.org: 2 × H200 (declared)",
        "rolling: 2 hosts serve this model and change one at a time",
        "blue/green: a copy on free GPUs, with the new settings, serves before this one stops",
        "4×H100-SXM      2×H100-SXM      2×H100-SXM",
    ):
        assert said in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_the_guide_shows_what_it_prints() -> None:
    """But for numbers: those are the planner's, which learns."""
    shown = GUIDE.read_text().split(f"$ stoker plan {EXAMPLE} --offline\n")[1].split("```")[0]
    assert _words(shown) == _words(stoker(EXAMPLE, "--offline").stdout)


def _words(output: str) -> list[str]:
    return re.sub(r"[\d.,]+", "#", output).split()


def test_all_models_of_the_example_fit() -> None:
    _, plan = document(EXAMPLE, "--offline")
    fits = {(h.name, e.name): e.memory.fits for h in plan.hosts for e in h.engines if e.memory}
    assert len(fits) == 8
    assert set(fits.values()) == {"yes"}


def test_the_schema_of_the_document_is_stable() -> None:
    """A script reads it: a change here is a change of `SCHEMA`."""
    made = json.loads(msgspec.json.encode(msgspec.json.schema(Plan)))
    assert _bare(made) == json.loads(SCHEMA.read_text())


def _bare(schema: Any) -> Any:
    """Leave the docstrings out."""
    if isinstance(schema, dict):
        return {key: _bare(value) for key, value in schema.items() if key != "description"}
    return [_bare(one) for one in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize(
    ("limit", "names"),
    [
        (["h200-1.example.org"], ["h200-1.example.org"]),
        (["a100", "h200"], ["a100-1.example.org", "h200-1.example.org"]),
        (["h100-*"], ["h100-1.example.org", "h100-2.example.org"]),
    ],
)
def test_the_limit_names_hosts_and_groups(limit: list[str], names: list[str]) -> None:
    code, plan = document(EXAMPLE, "--offline", "--limit", *limit)
    assert (code, [host.name for host in plan.hosts]) == (2, names)


def test_hosts_outside_of_the_limit_still_serve() -> None:
    _, plan = document(EXAMPLE, "--offline", "--limit", "h100-1.example.org")
    assert {e.strategy.kind for h in plan.hosts for e in h.engines if e.strategy} == {"rolling"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inventory/nope.py",), "stoker: inventory/nope.py: there is no such inventory\n"),
        (
            (EXAMPLE, "--offline", "--limit", "nobody"),
            f"stoker: --limit nobody: no host and no group of {EXAMPLE} is called so\n",
        ),
    ],
)
def test_what_cannot_be_planned_is_no_change(arguments: tuple[str, ...], said: str) -> None:
    done = stoker(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_a_model_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    data = {
        "driver_gpu_count": 8,
        "driver_gpu_type": "H100-SXM",
        "engine_gpus": 1,
        "engine_model": "meta-llama/Llama-3.3-70B-Instruct",
    }
    path = inventory(tmp_path, big=data)
    code, plan = document(path, "--offline", "--models", "inventory/models")
    assert (code, plan.verdict) == (1, "refused")
    [problem] = plan.hosts[0].problems
    assert problem.startswith(
        "engine main: meta-llama/Llama-3.3-70B-Instruct does not fit on 1 × H100-SXM: weights ("
    )
    assert problem.endswith("; the nearest that fits: 2 GPUs")


def test_a_type_of_gpu_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    path = inventory(tmp_path, big={"driver_gpu_count": 1, "driver_gpu_type": "H100-SXM-80GB"})
    code, plan = document(path, "--offline")
    assert code == 1
    assert plan.refused == (
        "big: driver_gpu_type = 'H100-SXM-80GB': is not a GPU that the planner knows; did you mean "
        "'H100-SXM'?",
    )


def test_what_the_engine_lacks_is_refused(tmp_path: Path) -> None:
    path = inventory(tmp_path, odd={"engine_extra_args": ("--max-input-length", "4096")})
    code, plan = document(path, "--offline")
    assert code == 1
    assert plan.refused[0].startswith("odd: engine main: ")


def test_a_fault_of_one_host_is_told_before_any_is_connected_to(tmp_path: Path) -> None:
    path = inventory(tmp_path, good=CLOSED, bad={"agent_port": 0})
    code, plan = document(path)
    assert code == 1
    assert [fault.split(" = ")[0] for fault in plan.refused] == ["bad: agent_port"]
    assert [(host.name, host.contact) for host in plan.hosts] == [("good", "not asked")]


def test_a_host_that_is_down_does_not_hide_the_others(tmp_path: Path) -> None:
    path = inventory(tmp_path, down=CLOSED, here=HERE, also_down=CLOSED)
    code, plan = document(path)
    assert (code, plan.verdict) == (1, "refused")
    assert [(host.name, host.contact) for host in plan.hosts] == [
        ("down", "unreachable"), ("@local", "looked at"), ("also-down", "unreachable"),
    ]  # fmt: skip
    [problem] = plan.hosts[0].problems
    assert problem.startswith("cannot be reached over SSH: Could not connect")


def test_all_hosts_down_is_a_plan_all_the_same(tmp_path: Path) -> None:
    code, plan = document(inventory(tmp_path, down=CLOSED))
    assert code == 1
    assert [host.contact for host in plan.hosts] == ["unreachable"]
    assert plan.hosts[0].engines[0].act is None
