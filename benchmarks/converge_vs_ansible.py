"""How fast a run is that finds nothing to do: ours, plain pyinfra and Ansible, on the same hosts.

The work is that of `benchmarks/converge/work.py`, which each of the three has brought about before
on throw-away containers with systemd and sshd, and on a host that was tampered with each is seen to
put right what was. Then they take turns. Wall is the run's own; control CPU that of its process and
children; hosts' CPU that of the containers' control groups. Needs Docker and root; removes its
containers at the end. The first time, ansible-core is installed into `.stoker/`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import figures
from benchmarks.converge import work
from benchmarks.converge.machines import IMAGE, Machines
from benchmarks.figures import CannotMeasureError, Figures
from tests.sandbox import docker

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent / "converge"
VENV = ROOT / ".stoker/bench-ansible"
ANSIBLE = "ansible-core==2.19.14"
TOOLS = ("ours", "plain", "ansible")
FAR = 0.020  # seconds there and back
LONGEST = 1200.0  # seconds for one run
SETTINGS = """[defaults]
host_key_checking = False
forks = 20
interpreter_python = /usr/bin/python3
retry_files_enabled = False
[ssh_connection]
pipelining = True
control_path_dir = {directory}/cp
ssh_args = -o ControlMaster=auto -o ControlPersist=600s -o UserKnownHostsFile=/dev/null
"""
# Three things.
TAMPER = (
    f"echo >>{work.TOP}/site-3/site.conf; chmod 777 /opt/bench/venvs; systemctl stop bench.service"
)


@dataclass(frozen=True)
class Took:
    """One run, in seconds; `changed` counts what it changed."""

    wall: float
    control: float
    hosts: float
    changed: int


class Bench:
    """Runs the tools on the first `count` hosts."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        directory = machines.directory
        (directory / "work.json").write_text(json.dumps(work.document()))
        (directory / "ansible.cfg").write_text(SETTINGS.format(directory=directory))

    def take(self, tool: str, count: int, ports: dict[str, int] | None = None) -> Took:
        """Run `tool` once."""
        hosts = self.machines.inventory(count, ports)
        where, argv = self._command(tool, hosts)
        environment = {
            **os.environ,
            "BENCH_HOSTS": str(hosts),
            "ANSIBLE_CONFIG": str(self.machines.directory / "ansible.cfg"),
            "NO_COLOR": "1",
            "PYINFRA_PROGRESS": "off",
        }
        before, begun = self.machines.cpu(count), time.monotonic()
        with (self.machines.directory / f"{tool}.log").open("wb") as log:
            process = subprocess.Popen(
                argv,
                cwd=where,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        said = (self.machines.directory / f"{tool}.log").read_text(errors="replace")
        if process.returncode:
            raise CannotMeasureError(f"{tool} failed: {' | '.join(said.splitlines()[-15:])}")
        return Took(
            wall=wall,
            control=used.ru_utime + used.ru_stime,
            hosts=self.machines.cpu(count) - before,
            changed=_changed(tool, said),
        )

    def _command(self, tool: str, hosts: Path) -> tuple[Path, list[str]]:
        if tool == "ansible":
            found = json.loads(hosts.read_text())
            lines = [
                f"{name} ansible_host={one['ssh_hostname']} ansible_port={one['ssh_port']} "
                f"ansible_user=operator ansible_ssh_private_key_file={one['ssh_key']}"
                for name, one in found.items()
            ]
            inventory = hosts.with_suffix(".ini")
            inventory.write_text("[all]\n" + "\n".join(lines) + "\n")
            program = str(VENV / "bin/ansible-playbook")
            given = f"@{self.machines.directory / 'work.json'}"
            return HERE, [program, "-i", str(inventory), "site.yml", "--extra-vars", given]
        # Plain pyinfra runs elsewhere: in our directory it would read our config.py.
        where, deploy = (
            (ROOT, HERE / "ours.py") if tool == "ours" else (HERE / "plain", "deploy.py")
        )
        program = str(ROOT / ".venv/bin/pyinfra")
        return where, [program, str(HERE / "inventory.py"), str(deploy), "-y"]

    def settle(self, count: int, tools: tuple[str, ...] = TOOLS) -> None:
        """Have one tool after the other run until none of them finds anything to do."""
        idle: list[str] = []
        for tool in tools * 4:
            idle = [] if self.take(tool, count).changed else [*idle, tool]
            if set(idle) == set(tools):
                return
        raise CannotMeasureError("the tools do not agree on the work: they undo each other's")

    def prove(self) -> Figures:
        """See each tool put right what was tampered with."""
        found: Figures = {}
        for tool in TOOLS:
            docker.execute(self.machines.names[0], ["sh", "-c", TAMPER])
            found[f"{tool}_put_right"] = self.take(tool, 1).changed
        return found


def _changed(tool: str, said: str) -> int:
    if tool == "ansible":
        return sum(map(int, re.findall(r"\bchanged=(\d+)", said)))
    return len(re.findall(r"\] *Success", said))


def measure(options: argparse.Namespace) -> Figures:
    """Bring hosts up, have all agree, and time them."""
    if not docker.answers():
        raise CannotMeasureError("no Docker engine answers")
    install()
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as directory:
        machines = Machines(Path(directory))
        try:
            return _measure(options, machines, Bench(machines))
        finally:
            for one in Path(directory).glob("cp/*"):
                subprocess.run(["ssh", "-O", "exit", "-S", str(one), "x"], check=False)
            machines.down()


def _measure(options: argparse.Namespace, machines: Machines, bench: Bench) -> Figures:
    machines.up(1)
    bench.settle(1)
    found = bench.prove()
    tell(f"one host is as it should be, and tampering is put right: {found}")
    machines.keep(machines.names[0])
    counts = [1, 4] if options.quick else [1, 4, 10, 20]
    for count in counts:
        machines.up(count, IMAGE)
        once = count >= options.once_from
        # A run of Ansible over many hosts takes minutes: there is one, and it is the one measured.
        bench.settle(count, TOOLS[:2] if once else TOOLS)
        found |= _figures(bench, count, options.runs, 1 if once else options.runs, None)
    for count in [] if options.quick else [1, 4]:
        with machines.far(count, FAR) as ports:
            found |= _figures(bench, count, options.runs, 1, ports)
    return found | slopes(found, counts)


def _figures(
    bench: Bench, count: int, runs: int, of_ansible: int, ports: dict[str, int] | None
) -> Figures:
    key = f"{'far_' if ports else ''}{count}"
    if ports:
        bench.take("ansible", count, ports)  # it keeps sockets open
    took: dict[str, list[Took]] = {tool: [] for tool in TOOLS}
    for turn in range(runs):
        for tool in TOOLS:
            if tool != "ansible" or turn < of_ansible:
                took[tool].append(bench.take(tool, count, ports))
    if any(one.changed for each in took.values() for one in each):
        raise CannotMeasureError("something changed on the hosts meanwhile")
    found: Figures = {}
    for tool, each in took.items():
        for what in ("wall", "control", "hosts"):
            value = median(getattr(one, what) for one in each)
            found[f"{key}_{tool}_{what}_s"] = round(value, 3)
    return found | dict(_ratios(found, key))


def _ratios(found: Figures, key: str) -> Iterator[tuple[str, float]]:
    shown = f"{key:>6} hosts (wall / control CPU / hosts' CPU):"
    for tool in TOOLS:
        values = [float(found[f"{key}_{tool}_{what}_s"]) for what in ("wall", "control", "hosts")]
        shown += f"  {tool} {' / '.join(f'{value:.2f}' for value in values)}"
    tell(shown)
    for tool in TOOLS[1:]:
        ratio = float(found[f"{key}_{tool}_wall_s"]) / float(found[f"{key}_ours_wall_s"])
        yield f"{key}_{tool}_by_ours", round(ratio, 2)


def slopes(found: Figures, counts: list[int]) -> Figures:
    """Return what each more host costs, in seconds of CPU, from the fewest hosts to the most."""
    few, many = counts[0], counts[-1]
    return {
        f"slope_{tool}_{what}_s": round(
            (float(found[f"{many}_{tool}_{what}_s"]) - float(found[f"{few}_{tool}_{what}_s"]))
            / (many - few),
            3,
        )
        for tool in TOOLS
        for what in ("control", "hosts")
    }


def install() -> None:
    """Install Ansible, once."""
    if (VENV / "bin/ansible-playbook").exists():
        return
    tell(f"installing {ANSIBLE} into {VENV}")
    for argv in (
        [sys.executable, "-m", "venv", str(VENV)],
        [str(VENV / "bin/pip"), "-q", "install", ANSIBLE],
    ):
        if subprocess.run(argv, check=False).returncode:
            raise CannotMeasureError(f"{ANSIBLE} cannot be installed from PyPI")


def tell(line: str) -> None:
    """Say how far it is."""
    print(line, flush=True)


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only 1 and 4 hosts, none far away")
    parser.add_argument("--runs", type=int, default=3, help="runs of each tool (default: 3)")
    parser.add_argument(
        "--once-from",
        type=int,
        default=4,
        metavar="HOSTS",
        help="from so many hosts on Ansible runs once (default: 4)",
    )
    return figures.run(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
