"""A host with a real engine: vLLM's CPU build with a small model that talks. The fleet is `real`.

STOKER_E2E_KEEP=1 takes it as it is, deployed before, and leaves it there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.faults import Node
from tests.e2e.talk import Talk
from tests.e2e.world import World
from tests.sandbox.fleet import Fleet
from tests.sandbox.gateway import Answer, Stream
from tests.sandbox.progress import step
from tests.sandbox.shell import SandboxError

HOST = "real-1"
MEMORY_GIB = 8  # of which the engine takes 3, its host and the depot 1
START = 150  # seconds from a start to the first answer; 30 on two cores that do nothing else
HANG_AFTER = 5  # seconds; by its own rule an engine without a GPU has 30
DRAIN = 20  # seconds
AT_ONCE = 8  # requests that are computed at once: `engine_max_running_requests` of the inventory
IMPATIENT = {
    "agent_backoff": 1,
    "engine_drain_deadline": DRAIN,
    "engine_hang_after": HANG_AFTER,
}
ESSAY = "Write a very long and detailed essay about the history of the steam engine."


class RealNode(Node):
    """That host. It answers at the speed of the machine, and to its model's name only."""

    def chat(self) -> Answer:
        """See `Node`."""
        gateway = self.world.gateway(self.host)
        return gateway.chat("Are you there?", max_tokens=3, model=self.model())

    def talk(self, tokens: int) -> Talk:
        """See `Node`."""
        return Talk(self.stream(ESSAY, tokens))

    def stream(self, prompt: str, tokens: int) -> Stream:
        """Ask for a stream through the gateway."""
        gateway = self.world.gateway(self.host)
        return gateway.stream(prompt, max_tokens=tokens, model=self.model(), timeout=120.0)

    def tokens(self, seconds: float) -> int:
        """Return how many tokens one stream brings in that time, as the machine is just now."""
        arrivals = self._arrivals(15)
        return max(10, round(seconds * len(arrivals[1:]) / (arrivals[-1] - arrivals[0])))

    def _arrivals(self, tokens: int) -> list[float]:
        stream = self.stream(ESSAY, tokens)
        stream.text()
        return stream.arrivals

    def model(self) -> str:
        """Return the name that clients send."""
        return str(self.engine()["served_name"])

    def scrape(self) -> str:
        """Return what the engine itself says at /metrics."""
        return self.shell(f"curl -sS http://127.0.0.1:{self.engine()['port']}/metrics")

    def kill_core(self) -> float:
        """Kill the process that computes, not the server in front of it; return the time."""
        return self._signal_core("KILL")

    def freeze_core(self) -> float:
        """Let the process that computes stand still, as in a call to the driver that hangs."""
        return self._signal_core("STOP")

    def _signal_core(self, name: str) -> float:
        # So written, the pattern does not find the shell that holds it.
        return float(self.shell(f"date +%s.%N; pkill -{name} -f 'VLLM::[E]ngineCore'"))


@contextmanager
def real_node() -> Iterator[RealNode]:
    """Bring the host up bare and deploy to it; remove it at the end.

    The engine's image and the model are built where they are missing, which takes minutes; they
    stay, and so does the depot's copy of them. SandboxError when the deploy fails.
    """
    fleet = Fleet("real")
    node = RealNode(World(fleet), HOST)
    if os.environ.get("STOKER_E2E_KEEP") == "1":
        yield node
        return
    fleet.down()
    try:
        fleet.up(HOST)
        _deploy(node.world)
        yield node
    finally:
        fleet.down()


def memory_free() -> float:
    """Return the GiB of memory that programs on this machine could still take."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return int(available) / 2**20


def _deploy(world: World) -> None:
    settings = [part for key, value in IMPATIENT.items() for part in ("--data", f"{key}={value}")]
    with step(f"deploying vLLM to {HOST}"):
        run = world.deploy(*settings)
    if run.code:
        raise SandboxError(f"the deploy ended with exit code {run.code}: {run.output}")
