"""The benchmarks can be started, and their figures can be read back. Nothing is measured here."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import all as every
from benchmarks import converge_vs_ansible as converge
from benchmarks import figures
from benchmarks.figures import CannotMeasureError, Figures

ROOT = Path(__file__).parents[1]
MEASURING = [name for name in every.PROGRAMS if name != every.TRUTH]  # that one takes no options


@pytest.mark.parametrize("name", [*MEASURING, "converge_vs_ansible"])
def test_help_tells_what_is_measured(name: str) -> None:
    done = subprocess.run(
        [sys.executable, f"benchmarks/{name}.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {name}.py")
    assert len(done.stdout.splitlines()) > 8


def test_every_benchmark_of_agent_and_gateway_is_run() -> None:
    there = {
        path.stem
        for pattern in ("agent_*.py", "gateway_*.py")
        for path in (ROOT / "benchmarks").glob(pattern)
    }
    assert there == set(every.PROGRAMS) == {one.program for one in every.TARGETS}


def test_the_last_line_is_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    assert figures.run(parser, lambda options: {"rounds": options.rounds}, ["--rounds", "5"]) == 0
    found = figures.last_line(capsys.readouterr().out)
    assert found["rounds"] == 5
    assert str(found["machine"])
    assert float(found["load_1min"]) >= 0.0


def test_what_cannot_be_measured_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(_: argparse.Namespace) -> Figures:
        raise CannotMeasureError("there is no host")

    assert figures.run(argparse.ArgumentParser(), measure, []) == 1
    said = capsys.readouterr()
    assert "there is no host" in said.err
    assert not said.out


@pytest.mark.parametrize("output", ["", "one\ntwo", "[1, 2]"])
def test_a_program_without_figures(output: str) -> None:
    with pytest.raises(CannotMeasureError):
        figures.last_line(output)


@pytest.mark.parametrize(
    ("count", "p50", "p99"), [(1, 1.0, 1.0), (2, 1.0, 2.0), (100, 50.0, 99.0), (200, 100.0, 198.0)]
)
def test_centiles_are_values_that_were_measured(count: int, p50: float, p99: float) -> None:
    found = figures.spread("x", map(float, range(count, 0, -1)), "s", 1.0)
    assert found == {"x_p50_s": p50, "x_p99_s": p99, "x_max_s": float(count)}


def test_a_row_tells_a_missed_target_and_a_missing_figure() -> None:
    target = every.Target(every.COST, "cpu_percent", "CPU", 0.5, " %")
    assert "| 0.5 % | reached |" in target.row({"cpu_percent": 0.5})
    assert "| 0.6 % | **missed** |" in target.row({"cpu_percent": 0.6})
    assert "not measured" in target.row({})
    assert "not measured" in target.row(None)


def test_memory_and_cpu_of_a_process_tree() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "x = bytearray(40 << 20); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin
    assert child.stdout
    child.stdout.readline()
    parent = Path("/proc/self").resolve().name
    assert child.pid in figures.tree(int(parent))
    assert figures.memory(child.pid)["Pss"] > 40 << 10
    assert 0.0 < figures.cpu(child.pid) < 60.0
    child.communicate(b"\n")


def test_what_a_tool_changed_is_read_from_what_it_said() -> None:
    ours = "[a] Success\n[b] No changes\n[a] Success\n    Success   Error\n"
    assert converge._changed("ours", ours) == 2
    ansible = "a : ok=9 changed=2 unreachable=0\nb : ok=9 changed=0 unreachable=0\n"
    assert converge._changed("ansible", ansible) == 2


def test_a_slope_is_of_each_host_more() -> None:
    found: Figures = {
        f"{count}_{tool}_{what}_s": 1.0 + count * 0.5
        for count in (1, 20)
        for tool in converge.TOOLS
        for what in ("control", "hosts")
    }
    assert set(converge.slopes(found, [1, 20]).values()) == {0.5}
