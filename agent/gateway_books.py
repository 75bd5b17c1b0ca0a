"""What the agent counts of the gateway, since it began and for the latest five minutes.

Labels are bounded: models and engines are those of the spec, reasons are nginx's own, and of
clients the first TENANTS that are seen; all others count as `other`.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram

from agent.gateway_log import Broken, End, Line, parse
from agent.model import Value

TENANTS, MODELS, REASONS = 200, 64, 32
OTHER, NONE = "other", "none"
FIRST = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)  # seconds
WINDOW, STEP = 300.0, 10.0  # seconds
CONNECTIONS = 1024  # of which we keep in mind that an engine broke off; many streams may share one


class Ends(Value, frozen=True, kw_only=True):
    """Streams of an engine that have ended, and those of them that it broke off."""

    ended: int = 0
    broken: int = 0


class Names:
    """Lets the first `most` names through; all others are OTHER, the empty one is NONE."""

    def __init__(self, most: int, known: Collection[str] | None = None) -> None:
        self._most, self._known = most, known
        self._seen: set[str] = set()

    def of(self, name: str) -> str:
        """Return the label for a name."""
        if not name:
            return NONE
        if name not in self._seen:
            full = len(self._seen) >= self._most
            if full or (self._known is not None and name not in self._known):
                return OTHER
            self._seen.add(name)
        return name


class Books:
    """Takes datagrams in; counts into `registry`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        engines: Collection[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._tenants, self._models = Names(TENANTS), Names(MODELS)
        self._engines, self._reasons = Names(len(engines), engines), Names(REASONS)
        self._broken: OrderedDict[str, int] = OrderedDict()
        self._steps: deque[tuple[float, dict[str, list[int]]]] = deque()
        self.requests = 0
        self._requests = Counter(
            "stoker_gateway_requests",
            "Requests that the gateway has answered, by class of status.",
            ["model", "tenant", "status"],
            registry=registry,
        )
        self._refused = Counter(
            "stoker_gateway_refused",
            "Requests that the gateway itself has refused, by reason.",
            ["reason", "tenant"],
            registry=registry,
        )
        self._streams = Counter(
            "stoker_gateway_streams",
            "Streams that have ended, by how they did.",
            ["engine", "end"],
            registry=registry,
        )
        self._first = Histogram(
            "stoker_gateway_first_byte_seconds",
            "From the request to the first byte of the engine's answer.",
            ["model"],
            buckets=FIRST,
            registry=registry,
        )
        self._garbled = Counter(
            "stoker_gateway_lines_garbled",
            "Lines of the gateway's log that were not understood.",
            registry=registry,
        )
        for engine in engines:
            for end in End:
                self._streams.labels(engine, end.value)

    def take(self, datagram: bytes) -> None:
        """Count one datagram of nginx; one that is not understood counts as such."""
        try:
            told = parse(datagram)
        except ValueError:
            self._garbled.inc()
            return
        if isinstance(told, Broken):
            self._broken[told.connection] = self._broken.pop(told.connection, 0) + 1
            if len(self._broken) > CONNECTIONS:
                self._broken.popitem(last=False)
        elif told is not None:
            self._line(told)

    def recent(self) -> Mapping[str, Ends]:
        """Return how the streams of each engine ended within the latest five minutes."""
        self._forget()
        found: dict[str, Ends] = {}
        for _, step in self._steps:
            for engine, (ended, broken) in step.items():
                before = found.get(engine, Ends())
                found[engine] = Ends(ended=before.ended + ended, broken=before.broken + broken)
        return found

    def _line(self, line: Line) -> None:
        model, tenant = self._models.of(line.model), self._tenants.of(line.tenant)
        self.requests += 1
        self._requests.labels(model, tenant, f"{line.status // 100}xx").inc()
        if line.reason:
            self._refused.labels(self._reasons.of(line.reason), tenant).inc()
        first = line.first_seconds
        if first is not None:
            self._first.labels(model).observe(first)
        broken = bool(self._broken) and self._mark(line.connection)
        end = line.end(broken=broken)
        if end is not None:
            self._ended(self._engines.of(line.engine), end)

    def _mark(self, connection: str) -> bool:
        """Take away one of the marks of a connection, on which several streams may have run."""
        left = self._broken.pop(connection, 0)
        if left > 1:
            self._broken[connection] = left - 1
        return left > 0

    def _ended(self, engine: str, end: End) -> None:
        self._streams.labels(engine, end.value).inc()
        self._forget()
        now = self._clock()
        if not self._steps or now - self._steps[-1][0] >= STEP:
            self._steps.append((now, {}))
        counts = self._steps[-1][1].setdefault(engine, [0, 0])
        counts[0] += 1
        counts[1] += end in {End.BROKEN, End.ERROR}

    def _forget(self) -> None:
        oldest = self._clock() - WINDOW
        while self._steps and self._steps[0][0] <= oldest:
            self._steps.popleft()
