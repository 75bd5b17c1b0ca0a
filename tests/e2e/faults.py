"""One host of the fleet as tests of faults see it: make it ill, look at it, make it well again."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.talk import Talk
from tests.e2e.world import World, wait_for
from tests.sandbox import kmsg
from tests.sandbox.gateway import Answer
from tests.sandbox.nvml.pci import write_pci
from tests.sandbox.nvml.state import NvmlState, gpu_pci

# The agent forgets by itself after a day or a week, which no test waits for.
FORGET = """
systemctl stop stoker-agent
python3 - <<'END'
import json, pathlib
path = pathlib.Path("/var/lib/stoker/agent/state.json")
state = json.loads(path.read_text())
state["ledger"] |= {"open": [], "closed": []}
state["attempts"] = []
for engine in state["engines"].values():
    engine["starts"] = []
path.write_text(json.dumps(state))
END
systemctl start stoker-agent
"""
DEADLY = {"crash", "shard_crash", "exit_code"}
SIM_FAULTS = (
    "/var/lib/stoker/models/stoker--tiny-llama/*/"  # the simulator looks there at its start
)


class Node:
    """One host. What it says is read over HTTP, as a balancer or a dashboard would."""

    def __init__(self, world: World, host: str) -> None:
        self.world, self.host = world, host
        self._simulated = world.fleet.simulated(host)
        self.nvml = NvmlState(self._simulated / "nvml.state")
        self.gpus = world.fleet.layout.host(host).gpus
        self.spoke = 0.0  # when the kernel did

    def get(self, path: str, port: int = 9750) -> tuple[int, str]:
        """Ask the agent; status and text."""
        address = (self.world.address(self.host), port)
        connection = http.client.HTTPConnection(*address, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def status(self) -> dict[str, Any]:
        """Return the agent's status document."""
        return dict(json.loads(self.get("/v1/status")[1]))

    def engine(self) -> dict[str, Any]:
        """Return the engine of the status document."""
        return dict(self.status()["engines"]["main"])

    def state(self) -> dict[str, Any]:
        """Return the state of the engine."""
        return dict(self.engine()["state"])

    def run(self) -> tuple[str, object, object]:
        """Return the phase, since when, and since when the engine runs: alike = nothing befell."""
        engine = self.engine()
        return engine["state"]["phase"], engine["state"]["since"], engine["running_since"]

    def incidents(self) -> list[dict[str, Any]]:
        """Return all incidents, the closed ones first."""
        return list(json.loads(self.get("/v1/incidents?state=all")[1])["incidents"])

    def condition(self, reason: str) -> dict[str, Any] | None:
        """Return the condition with that reason, if it stands."""
        found = (one for one in self.status()["conditions"] if one["reason"] == reason)
        return next(found, None)

    def balancer(self) -> str:
        """Return what HAProxy's agent-check is told."""
        with socket.create_connection((self.world.address(self.host), 9751), timeout=5) as port:
            return port.makefile().readline().strip()

    def shell(self, command: str, *, check: bool = True) -> str:
        """Run a command on the host as root."""
        return self.world.shell(self.host, command, check=check)

    def chat(self) -> Answer:
        """Ask for a completion through the gateway."""
        return self.world.gateway(self.host).chat("Are you there?", max_tokens=3)

    def talk(self, tokens: int) -> Talk:
        """Begin a stream through the gateway; its first tokens have come."""
        return Talk(self.world.gateway(self.host).stream("Go on and on", max_tokens=tokens))

    def pid(self) -> int:
        """Return the first process of the engine, as its runner reports it."""
        return int(json.loads(self.shell("cat /run/stoker/engines/main.json"))["pid"])

    # -- ill ---------------------------------------------------------------------------------------

    def kernel(self, *lines: str) -> None:
        """Let the kernel say lines."""
        self.spoke = time.time()
        kmsg.write(self._simulated / "kmsg", *lines)

    def xid(self, number: int, text: str = "", *, gpu: int = 0, pid: int | None = None) -> None:
        """Let the kernel tell of an Xid."""
        self.kernel(kmsg.xid(gpu_pci(gpu), number, text, pid))

    def sim(self, kind: str, **order: object) -> None:
        """Order the engine to misbehave; what it dies of may take the messenger with it."""
        body = json.dumps({"kind": kind, **order})
        self.shell(f"docker exec stoker-main sim-ctl fault '{body}'", check=kind not in DEADLY)

    def next_start(self, **settings: object) -> None:
        """Say how the engine's next starts go."""
        body = json.dumps(settings)
        self.shell(f"for d in {SIM_FAULTS}; do echo '{body}' > $d/sim-faults.json; done")

    def pull(self, *gpus: int) -> None:
        """Take GPUs off the PCI bus."""
        write_pci(self._simulated / "pci", gpus=self.gpus, absent=gpus)

    # -- looked at ---------------------------------------------------------------------------------

    def becomes(self, phase: str, reason: str, seconds: float) -> dict[str, Any]:
        """Wait for a phase with its reason; return the engine's state."""

        def there() -> dict[str, Any] | None:
            state = self.state()
            seen = (state["phase"], state["reason"])
            if seen != (phase, reason):
                raise AssertionError(f"{seen}: {state['message']}")
            return state

        return wait_for(f"{self.host}: {phase} {reason}", there, seconds)

    def refuses(self, seconds: float = 1.0) -> None:
        """Hold that the gateway turns new requests away, and says when to come.

        It does so within that time since the kernel spoke (or now, if it did not), by the clock of
        the agent: that is this machine's, and our own looks may be late.
        """
        since, gateway = self.spoke or time.time(), self.world.gateway(self.host)
        wait_for("a refusal", lambda: gateway.request("GET", "/v1/models").status == 503, 15)
        shut = self.state()["shut"]
        assert shut is not None
        assert shut - since < seconds
        answer = self.chat()
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["error"]["code"] == "engine_not_serving"
        assert self.get("/readyz")[0] == 503
        assert "drain" in self.balancer()

    def serves(self, seconds: float = 90, *, since: object = None) -> None:
        """Hold that the host serves, by an answer; `since`: with an engine started after that."""

        def there() -> bool:
            engine = self.engine()
            fresh = since is None or engine["running_since"] not in {None, since}
            if not (fresh and engine["state"]["phase"] == "SERVING"):
                raise AssertionError(f"{engine['state']}, running since {engine['running_since']}")
            return True

        wait_for(f"{self.host} serves", there, seconds)
        assert self.chat().status == 200
        assert self.get("/readyz")[0] == 200
        assert self.balancer() == "up ready 100%"

    @contextmanager
    def untouched(self, seconds: float = 0) -> Iterator[None]:
        """Hold that nothing befalls the engine in the block and in the seconds after it."""
        before = self.run()
        assert before[0] == "SERVING"
        yield
        until = time.monotonic() + seconds
        while True:
            assert self.run() == before, self.status()
            if time.monotonic() >= until:
                return
            time.sleep(0.5)

    def judged(self, seconds: float = 30) -> dict[str, Any]:
        """Wait until every incident has its verdict; return the first incident."""

        def there() -> dict[str, Any] | None:
            found = self.incidents()
            return found[0] if found and all("verdict" in one for one in found) else None

        return wait_for("a verdict", there, seconds)

    def due(self, seconds: float = 30) -> tuple[str, str, str]:
        """Wait for the rung of the ladder that is due; return it, its subject and why it waits."""
        step = wait_for("a rung", lambda: self.status()["steps"], seconds)[0]
        return step["rung"], step["subject"], step["waits"]

    def closes(self, how: str, seconds: float = 30) -> dict[str, Any]:
        """Wait until every incident is closed in that way; return the last one."""

        def there() -> dict[str, Any] | None:
            found = self.incidents()
            seen = [(one["xid"], one.get("closed")) for one in found]
            if not seen or any(closed != how for _, closed in seen):
                raise AssertionError(seen)
            return found[-1]

        return wait_for(f"incidents are closed: {how}", there, seconds)

    # -- well --------------------------------------------------------------------------------------

    def acknowledge(self) -> None:
        """A person has dealt with all that is open."""
        for one in self.status()["incidents"]:
            self.shell(f"stokerctl ack {one['id']} --by tester --reason 'looked at it'")

    def undrain(self) -> None:
        """A person lets the engine serve again."""
        self.shell("stokerctl undrain main --by tester --reason 'looked at it'")

    def heal(self) -> None:
        """Take back all that a test may have done, and serve."""
        self.shell(f"rm -f {SIM_FAULTS}/sim-faults.json /etc/stoker/inhibit")
        if self.gpus:
            self.nvml.clear()
            self.pull()
        self.forget()
        wait_for("no fault", lambda: not self._remedies(), 20)
        if self.state()["phase"] not in {"SERVING", "STARTING"}:
            self.undrain()
        self.serves(60)

    def forget(self) -> None:
        """Let the agent have no past of faults, acts and restarts."""
        if any((self.incidents(), self.status()["attempts"], self.state()["starts"])):
            self.shell(FORGET)
            wait_for("the agent is back", lambda: self.get("/livez")[0] == 200, 20)

    def _remedies(self) -> list[str]:
        found = self.status()["conditions"]
        return [one["reason"] for one in found if one["remedy"] != "none"]
