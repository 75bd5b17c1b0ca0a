"""A deploy to one host that is watched by its own events, so that it can be struck at a point."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Self

from tests.e2e.rolling import RollWorld
from tests.e2e.world import INVENTORY, REPOSITORY, Run, wait_for
from tests.sandbox import docker, machines
from tests.sandbox.balanced import Door, Outcome

PATIENCE = 240.0  # seconds for a run that was struck to come to an end
CUT = (
    "nft 'add table inet cut; add chain inet cut in { type filter hook input priority -300; };"
    " add rule inet cut in tcp dport 22 drop'"
)


class Begun:
    """One run of the deploy, going on; `--limit` to one host."""

    def __init__(self, world: RollWorld, host: str) -> None:
        self.host, self._world = host, world
        self._scratch = tempfile.TemporaryDirectory()
        self._events = Path(self._scratch.name) / "events"
        self._log = (Path(self._scratch.name) / "log").open("w+")
        command = [str(Path(sys.executable).with_name("pyinfra")), INVENTORY, "deploy.py", "-y"]
        environment = {
            **os.environ,
            "STOKER_SANDBOX": str(world.directory),
            "STOKER_EVENTS": str(self._events),
            "PYINFRA_PROGRESS": "off",
        }
        self.process = subprocess.Popen(
            [*command, "--limit", host],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()
        self._scratch.cleanup()

    def reaches(self, operation: str) -> None:
        """Wait until it begins an operation whose name starts so."""

        def there() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended before: {self.said()[-2000:]}")
            return any(name.startswith(operation) for name in self.operations())

        wait_for(f"{self.host}: {operation}", there, PATIENCE, pause=0.02)

    def operations(self) -> list[str]:
        """Return the names of the operations that have begun."""
        if not self._events.exists():
            return []
        told: list[dict[str, Any]] = []
        for line in self._events.read_text().splitlines():
            try:
                told.append(json.loads(line))
            except ValueError:  # half a line
                continue
        return [one["name"] for one in told if one["event"] == "operation"]

    def ends(self) -> int:
        """Wait for its end; return its exit code."""
        return self.process.wait(PATIENCE)

    def said(self) -> str:
        """Return what it printed."""
        self._log.flush()
        return Path(self._log.name).read_text()


class Strikes:
    """What can befall a deploy, each by its name."""

    def __init__(self, world: RollWorld) -> None:
        self._world = world

    def pyinfra(self, run: Begun) -> None:
        """Kill the deploy."""
        run.process.kill()

    def agent(self, run: Begun) -> None:
        """Kill the agent."""
        self._inside(run, "systemctl kill -s KILL stoker-agent.service")

    def ssh(self, run: Begun) -> None:
        """Kill every SSH session of the host."""
        self._inside(run, "pkill -KILL -f [s]shd-session")

    def network(self, run: Begun) -> None:
        """Lose the network between the two for good: the operator ends the run, then it is back."""
        self._inside(run, CUT)
        try:
            run.process.wait(3.0)
        except subprocess.TimeoutExpired:
            run.process.kill()
            run.process.wait()
        self._inside(run, "nft delete table inet cut")

    def power(self, run: Begun) -> None:
        """Let the host lose power, and boot."""
        container = self._world.fleet.layout.container(run.host)
        docker.docker("kill", container)
        docker.docker("start", container)
        machines.wait_booted(self._world.fleet.machine(run.host))

    def reboot(self, run: Begun) -> None:
        """Let somebody reboot the host."""
        self._world.fleet.reboot_host(run.host)

    def _inside(self, run: Begun, command: str) -> None:
        container = self._world.fleet.layout.container(run.host)
        docker.execute(container, ["sh", "-c", f"{command} || true"])


class Probe:
    """Asks one gateway all the time, three at once, and judges each answer."""

    def __init__(self, door: Door) -> None:
        self._door, self._end = door, threading.Event()
        self.seen: Counter[str] = Counter()
        self.wrong: list[Outcome] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)

    def honest(self, *, cut_off: bool) -> None:
        """Hold that each was a whole answer, or one that nobody had; `cut_off` = the host died."""
        wrong = [one for one in self.wrong if not (cut_off and "broken off" in one.why)]
        assert wrong == [], wrong[:3]
        assert self.seen["answered"] > 0

    async def _all(self) -> None:
        await asyncio.gather(*(self._ask() for _ in range(3)))

    async def _ask(self) -> None:
        while not self._end.is_set():
            outcome = await self._door.ask(2, stream=True)
            self.seen[outcome.how] += 1
            if outcome.how == "lost":
                self.wrong.append(outcome)
            await asyncio.sleep(0.1)


def converged(world: RollWorld, host: str) -> Run:
    """Deploy to the host once more, and hold that this is all it takes."""
    run = world.deploy("--limit", host)
    assert run.code == 0, run.output[-3000:]
    wait_for(f"{host} serves", lambda: world.phase(host) == "SERVING", 30)
    return run
