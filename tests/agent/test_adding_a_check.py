"""Adding a check takes one file and one line in the registry: done here in a copy of the agent."""

import shutil
import subprocess
import sys
from pathlib import Path

import agent

CHECK = '''
"""Is it Monday?"""

from agent.checks.base import fail
from agent.model import CheckResult, Remedy
from agent.sources import Sources
from agent.spec import HostSpec


class Monday:
    name = "monday"

    async def read(self, sources: Sources) -> str:
        return "Monday"

    def judge(self, reading: str, spec: HostSpec) -> list[CheckResult]:
        return [fail(self.name, "node", "Monday", f"it is {reading} on {spec.name}", Remedy.DRAIN)]
'''
LINE = '    "monday.Monday",\n'

PROGRAM = """
import asyncio
from agent import checks, conditions
from agent.spec import HostSpec
from tests.agent.checks.boards import DATA, WELL, L4, Round, poll

spec = HostSpec.from_data("host", {**DATA, "driver_gpu_count": 1, "check_off": OFF})
found = asyncio.run(checks.run(Round(nvml=poll(L4), pci=1, host=WELL), spec))
streaks = conditions.update({}, found, 1, 1, 0.0)
print([(c.check, c.reason, c.remedy.value, c.message) for c in conditions.opened(streaks)])
"""


def with_the_check(root: Path) -> Path:
    """Copy agent and tests below `root`, and add the file and the line."""
    here = Path(agent.__file__).parent
    unneeded = shutil.ignore_patterns("__pycache__")
    shutil.copytree(here, root / "agent", ignore=unneeded)
    for package in ("tests", "tests/agent", "tests/agent/checks"):
        (root / package).mkdir()
        for file in (here.parent / package).glob("*.py"):
            shutil.copy(file, root / package)
    (root / "agent/checks/monday.py").write_text(CHECK)
    registry = root / "agent/checks/__init__.py"
    before = registry.read_text()
    lines = before.splitlines(keepends=True)
    lines.insert(next(i for i, line in enumerate(lines) if line.startswith("REGISTRY")) + 1, LINE)
    registry.write_text("".join(lines))
    return root


def opened(root: Path, off: str = "()") -> str:
    """Run all checks of the copy in a process of its own; return what they opened."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("OFF", off)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_check_is_one_file_and_one_line(tmp_path: Path) -> None:
    root = with_the_check(tmp_path)
    assert opened(root) == "[('monday', 'Monday', 'drain', 'it is Monday on host')]"
    assert opened(root, off='("monday",)') == "[]"
