"""`deploy.py` is a table of contents: every stage once, in the order of the design."""

import ast
from collections import Counter

from fleet.render import ROOT

ORDER = [
    "preflight", "base", "firewall", "driver", "runtime", "model", "gateway", "takeover", "agent",
    "engine", "balancer", "monitoring", "drift", "release",
]  # fmt: skip


def _called() -> list[str]:
    calls = [
        n for n in ast.walk(ast.parse((ROOT / "deploy.py").read_text())) if isinstance(n, ast.Call)
    ]
    named = [c.func for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "apply"]
    ordered = sorted(named, key=lambda attribute: attribute.lineno)
    return [attribute.value.id for attribute in ordered if isinstance(attribute.value, ast.Name)]


def test_every_stage_is_called_in_order() -> None:
    assert list(dict.fromkeys(_called())) == ORDER


def test_only_what_is_served_with_is_applied_again_without_copies() -> None:
    again = [stage for stage, count in Counter(_called()).items() if count > 1]
    assert again == ["gateway", "agent"]


def test_there_is_no_stage_that_is_not_called() -> None:
    files = {path.stem for path in (ROOT / "fleet" / "stages").glob("*.py")} - {"__init__"}
    assert files == set(ORDER)


def test_every_operation_has_a_name() -> None:
    seen = 0
    for path in (ROOT / "fleet" / "stages").glob("*.py"):
        tree = ast.parse(path.read_text())
        operations = _operations(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in operations:
                seen += 1
                assert "name" in {k.arg for k in node.keywords}, f"{path.name}:{node.lineno}"
    assert seen > 30


def _operations(tree: ast.Module) -> set[str]:
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if (node.module or "").startswith("fleet.operations.")]
    return {alias.name for node in ours for alias in node.names}
