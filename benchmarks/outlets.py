"""The ways by which the agent says whether traffic is welcome, each polled in a process of its own.

Instants are those of CLOCK_MONOTONIC, which all processes and containers of a machine share.
"""

import http.client
import multiprocessing
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from benchmarks.figures import CannotMeasureError

PERIOD = 0.001  # seconds between the beginnings of two questions
PATIENCE = 5.0  # seconds for one answer


class Outlet(Protocol):
    """Asked again and again; `name` is what figures are called by."""

    @property
    def name(self) -> str:
        """One word."""

    def ask(self) -> bool:
        """Ask once; say whether new requests are let in. `OSError` when there is no answer."""

    def renew(self) -> None:
        """Connect anew, where a connection is kept."""


@dataclass
class Readyz:
    """`/readyz` over one connection."""

    address: str
    port: int
    name: str = "readyz"
    _kept: http.client.HTTPConnection | None = field(default=None, repr=False)

    def ask(self) -> bool:
        """See `Outlet`."""
        assert self._kept
        self._kept.request("GET", "/readyz")
        answer = self._kept.getresponse()
        answer.read()
        return answer.status == 200

    def renew(self) -> None:
        """See `Outlet`."""
        self._kept = http.client.HTTPConnection(self.address, self.port, timeout=PATIENCE)


@dataclass
class AgentCheck:
    """HAProxy's agent-check: a connection for each question, as HAProxy does it."""

    address: str
    port: int
    engine: str
    name: str = "agent_check"

    def ask(self) -> bool:
        """See `Outlet`."""
        with socket.create_connection((self.address, self.port), timeout=PATIENCE) as connection:
            connection.sendall(f"engine={self.engine}\n".encode())
            return connection.recv(256).startswith(b"up ready")

    def renew(self) -> None:
        """See `Outlet`."""


@dataclass
class Chat:
    """New requests to the gateway, over one TLS connection; only its shut gate counts as refusal.

    They are refused by the gate before any rate limit is looked at, so what is over the limit
    (429) was let in by the gate; of the others the engine answers that they are empty.
    """

    address: str
    ca: Path
    key: str
    host: str
    name: str = "gateway"
    _kept: http.client.HTTPSConnection | None = field(default=None, repr=False)

    def ask(self) -> bool:
        """See `Outlet`."""
        assert self._kept
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        headers["Host"] = self.host
        self._kept.request("POST", "/v1/chat/completions", b"{}", headers)
        return b"engine_not_serving" not in self._kept.getresponse().read()

    def renew(self) -> None:
        """See `Outlet`."""
        tls = ssl.create_default_context(cafile=str(self.ca))
        self._kept = http.client.HTTPSConnection(self.address, timeout=PATIENCE, context=tls)


@dataclass(frozen=True)
class Seen:
    """What one poller saw: when the first refusal was there (None = none), and every latency."""

    refused: float | None
    latencies: list[float]


class Poller:
    """Polls one outlet, about a thousand times a second unless `period` says otherwise."""

    def __init__(self, outlet: Outlet, period: float = PERIOD) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.name = outlet.name
        self._pipe, theirs = spawn.Pipe()
        arguments = (outlet, period, theirs)
        self._process = spawn.Process(target=_work, args=arguments, daemon=True)
        self._process.start()

    def begin(self, seconds: float) -> None:
        """Poll until the first refusal, for so many seconds at most."""
        self._pipe.send(seconds)

    def begun(self) -> None:
        """Return when it polls and is let in; `CannotMeasureError` when it is not let in."""
        if not self._got():
            raise CannotMeasureError(f"{self.name} lets nobody in, or does not answer")

    def stop(self) -> None:
        """Poll no longer."""
        self._pipe.send(None)

    def seen(self) -> Seen:
        """Return what was seen, when the polling is over."""
        found = self._got()
        assert isinstance(found, Seen)
        return found

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()

    def _got(self) -> object:
        try:
            return self._pipe.recv()
        except EOFError:
            raise CannotMeasureError(f"the poller of {self.name} has ended") from None


@contextmanager
def polling(*outlets: Outlet, period: float = PERIOD) -> Iterator[list[Poller]]:
    """Pollers for the block."""
    pollers = [Poller(outlet, period) for outlet in outlets]
    try:
        yield pollers
    finally:
        for poller in pollers:
            poller.end()


def _work(outlet: Outlet, period: float, pipe: Connection) -> None:
    while True:
        seconds = pipe.recv()
        if seconds is None:  # a stop that came when the polling was over
            continue
        end = time.monotonic() + seconds
        try:
            outlet.renew()
            welcome = outlet.ask()
            pipe.send(welcome)
            if welcome:
                pipe.send(_poll(outlet, period, end, pipe))
        except OSError:
            pipe.send(False)


def _poll(outlet: Outlet, period: float, end: float, pipe: Connection) -> Seen:
    latencies = []
    while (asked := time.monotonic()) < end and not pipe.poll():
        welcome = outlet.ask()
        answered = time.monotonic()
        latencies.append(answered - asked)
        if not welcome:
            return Seen(answered, latencies)
        time.sleep(max(0.0, asked + period - time.monotonic()))
    return Seen(None, latencies)
