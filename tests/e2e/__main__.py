"""`python -m tests.e2e [PYTEST OPTIONS]`: all end-to-end tests, in two pytests side by side.

A test waits more than it computes, so two cores do the work of two fleets. Each fleet belongs to
one of the two. Exit code 0: all have passed.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
APART = ("i", "j", "m", "n", "o")  # long, and not yet part of `make test`
BESIDE = ("a", "d", "k", "l")  # each with a fleet of its own
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
        codes = list(pool.map(_run, (1, 2), shares(), (options, options)))
    return max(codes)


def _run(number: int, files: list[Path], options: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-m", "e2e", "-vv", *options, *map(str, files)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    for line in process.stdout:
        print(f"{number} | {line}", end="", flush=True)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
