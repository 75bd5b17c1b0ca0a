"""What a night on call is made of: crashes, drains, restarts, reboots. Traffic is not lied to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.world import World, wait_for
from tests.sandbox.gateway import Stream

LONG = 400  # tokens; 8 s at the simulator's 50 a second


class Running:
    """A long stream that is read in the background."""

    def __init__(self, stream: Stream, tokens: int) -> None:
        self.stream, self.tokens = stream, tokens
        self.pieces = 0
        self.problem: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for _ in self.stream:
                self.pieces += 1
        except BaseException as problem:
            self.problem = problem

    def assert_complete(self) -> None:
        """Hold that the stream came to its own end, whole."""
        self._thread.join(60)
        assert not self._thread.is_alive(), "the stream does not end"
        assert self.problem is None, repr(self.problem)
        assert self.stream.error is None, self.stream.error
        assert self.stream.finished
        assert self.pieces >= self.tokens


@contextmanager
def running_stream(world: World, host: str, tokens: int = LONG) -> Iterator[Running]:
    """A stream of which some tokens have come; it must end whole when the block ends."""
    running = Running(world.gateway(host).stream("Go on and on", max_tokens=tokens), tokens)
    wait_for("first tokens", lambda: running.pieces >= 3, 10)
    yield running
    running.assert_complete()


def serving(world: World, host: str, seconds: float = 60) -> None:
    """Hold that the host serves again, proved by an answer through the gateway."""
    wait_for(f"{host} serves", lambda: world.phase(host) == "SERVING", seconds)
    assert world.gateway(host).chat("Are you there?").status == 200


def fresh_start(world: World, host: str, before: object) -> None:
    """Hold that the engine was started again after `before`."""
    wait_for("a fresh start", lambda: world.engine(host)["running_since"] not in {None, before}, 60)


def test_killed_engine_comes_back(world: World) -> None:
    for host in world.hosts:
        before = world.engine(host)["running_since"]
        world.shell(host, "docker kill -s KILL stoker-main")
        fresh_start(world, host, before)
        serving(world, host)
        assert '"by":"agent","start":true' in world.shell(host, "cat /var/lib/stoker/audit.jsonl")


def test_drain_refuses_new_requests_and_lets_running_ones_finish(world: World) -> None:
    host = world.hosts[0]
    gateway = world.gateway(host)
    with running_stream(world, host, 2 * LONG):
        world.shell(host, "stokerctl drain main --reason e2e --by tester")
        answer = gateway.chat("Too late?")
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["error"]["message"]
        assert world.phase(host) == "DRAINING"
    wait_for("drained", lambda: world.phase(host) == "DRAINED", 15)
    assert gateway.chat("Still out?").status == 503
    world.shell(host, "stokerctl undrain main --reason e2e --by tester --wait 30")
    serving(world, host)
    audit = world.shell(host, "cat /var/lib/stoker/audit.jsonl")
    assert '"by":"tester"' in audit


def test_restart_on_request_loses_no_stream(world: World) -> None:
    host = world.hosts[-1]
    before = world.engine(host)["running_since"]
    with running_stream(world, host):
        world.shell(host, "stokerctl restart main --reason e2e --by tester")
    fresh_start(world, host, before)
    serving(world, host)


def test_agent_restart_does_not_touch_a_stream(world: World) -> None:
    host = world.hosts[0]
    started = world.engine(host)["running_since"]
    with running_stream(world, host):
        world.shell(host, "systemctl restart stoker-agent")
        assert world.gateway(host).chat("Meanwhile?").status == 200
    assert world.engine(host)["running_since"] == started
    serving(world, host)


def test_killed_agent_comes_back_and_traffic_goes_on(world: World) -> None:
    host = world.hosts[0]
    with running_stream(world, host):
        world.shell(host, "systemctl kill -s KILL stoker-agent")
        assert world.gateway(host).chat("Meanwhile?").status == 200
    serving(world, host)


def test_reload_of_nginx_does_not_touch_a_stream(world: World) -> None:
    host = world.hosts[-1]
    with running_stream(world, host):
        world.shell(host, "systemctl reload nginx")
        assert world.gateway(host).chat("Meanwhile?").status == 200


def test_rebooted_host_serves_again_and_needs_no_deploy(world: World) -> None:
    for host in (world.hosts[0], world.hosts[-1]):
        world.fleet.reboot_host(host)
        serving(world, host, 120)
    run = world.deploy()
    assert run.code == 0, run.output
    assert run.changed == []


def test_crash_loop_ends_in_quarantine_and_is_released_by_a_person(world: World) -> None:
    host = world.hosts[1]
    budget = 3

    def kill_until_quarantined() -> bool:
        world.shell(host, "docker kill -s KILL stoker-main", check=False)
        return world.phase(host) == "QUARANTINED"

    wait_for("quarantine", kill_until_quarantined, 120)
    state = world.engine(host)["state"]
    assert state["reason"] == "BudgetSpent"
    assert len(state["starts"]) <= budget
    assert world.gateway(host).chat("Anybody?").status == 503
    world.shell(host, "stokerctl undrain main --reason 'looked at it' --by tester --wait 60")
    serving(world, host)
