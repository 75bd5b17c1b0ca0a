"""`python -m tests.e2e [PYTEST OPTIONS]`: all end-to-end tests, in two pytests side by side.

A test waits more than it computes, so two cores do the work of two fleets. Each fleet belongs to
one of the two. Exit code 0: all have passed; else the last lines name what has not, and why.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
APART = ("i", "j", "m", "n", "o")  # long, and not yet part of `make test`
BESIDE = ("a", "d", "k", "l")  # each with a fleet of its own
MOST, LONGEST = 20, 400  # lines, and characters of each, that are said again
RUNNER = ROOT / "tests/agent/test_runner_docker.py"


def shares() -> list[list[Path]]:
    """Return the files of the two, in their order."""
    wanted = [path for path in sorted(HERE.glob("test_*.py")) if _letter(path) not in APART]
    beside = [path for path in wanted if _letter(path) in BESIDE]
    return [[path for path in wanted if path not in beside], [*beside, RUNNER]]


def _letter(path: Path) -> str:
    return path.name.split("_")[1]


def main(options: list[str]) -> int:
    """Run both to their ends, showing what they print as it comes."""
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(_run, (1, 2), shares(), (options, options)))
    # Once more: the two end minutes apart, and whoever reads the end of a log must find it there.
    for number, (code, lines) in enumerate(ends, 1):
        print(f"{number} | exit code {code}", *lines, sep=f"\n{number} | ", flush=True)
    return max(code for code, _ in ends)


def _run(number: int, files: list[Path], options: list[str]) -> tuple[int, list[str]]:
    """Return the exit code and the lines of what failed, with pytest's own last line."""
    command = [sys.executable, "-m", "pytest", "-m", "e2e", "-vv", *options, *map(str, files)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        print(f"{number} | {line}", end="", flush=True)
        if line.startswith(("E  ", "FAILED ", "ERROR ", "=")):
            lines.append(line[:LONGEST].rstrip())
    failed = [line for line in lines if not line.startswith("=")]
    return process.wait(), [*failed[-MOST:], *lines[-1:]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
