"""Asks one node for its page, again and again, and keeps what it said last."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Raw, Struct

from fleet.dashboard.rows import Link, Row, Snapshot, row
from fleet.dashboard.targets import Target

DEADLINE = 4.0  # seconds that one answer may take
STALE = 10.0  # seconds, for agents that do not say from when on they are stale

# A node may answer anything: what is no JSON, no UTF-8, nested too deep or of the wrong shape.
GARBAGE = (ValueError, RecursionError)
# Status and body of an answer; raises `OSError` or `TimeoutError`.
Fetch = Callable[[str], Awaitable[tuple[int, bytes]]]


class Page(Struct, frozen=True, kw_only=True):
    """What an agent answers to `/v1/page`, as far as it must be understood to be passed on."""

    snapshot: Raw
    age: float
    stale_after: float = STALE
    outlook: Raw = Raw(b"{}")
    due: Raw = Raw(b"[]")
    gpus: Raw = Raw(b"{}")
    problem: str = ""


class Watcher:
    """What is known of one node. `turned` is called when something changed that matters."""

    def __init__(
        self,
        target: Target,
        fetch: Fetch,
        turned: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
        deadline: float = DEADLINE,
    ) -> None:
        self.target, self._fetch, self._turned = target, fetch, turned
        self._clock, self._deadline = clock, deadline
        self._page: Page | None = None
        self._snapshot: Snapshot | None = None
        self._at = 0.0  # when the page came
        self._problem = target.problem
        self._since = 0.0
        self._asked = False

    async def watch(self, every: float) -> None:
        """Ask for ever, `every` so many seconds."""
        while True:
            await self.ask()
            await asyncio.sleep(every)

    async def ask(self) -> None:
        """Ask once."""
        if not self.target.url:
            return
        before = self._matters()
        try:
            async with asyncio.timeout(self._deadline):
                self._page, self._snapshot = await self._load()
            self._at, self._problem, self._since = self._clock(), "", 0.0
        except TimeoutError:
            self._fail(f"gave no answer within {self._deadline:.0f} s")
        except (OSError, *GARBAGE) as error:
            self._fail(str(error) or type(error).__name__)
        self._asked = True
        if self._matters() != before:
            self._turned()

    async def also(self, path: str) -> tuple[int, bytes]:
        """Ask the node for something else; the same errors as `Fetch`."""
        if not self.target.url:
            raise ConnectionError(self.target.problem)
        async with asyncio.timeout(self._deadline):
            return await self._fetch(self.target.url + path)

    @property
    def row(self) -> Row:
        """What the fleet page shows."""
        return row(
            self.target.name, self._link, self._snapshot, self._age, self._problem, self._since
        )

    @property
    def page(self) -> Page | None:
        """What the node's page shows, as old as it is by now; None = nothing came yet."""
        if self._page is None:
            return None
        return msgspec.structs.replace(self._page, age=self._age, problem=self.sentence)

    @property
    def sentence(self) -> str:
        """Why nothing newer is known, in a sentence; "" = it is."""
        if not self._problem:
            return ""
        if not self._since:
            return f"{self.target.name} cannot be asked: {self._problem}"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self._since))
        return f"{self.target.name} cannot be reached since {since} UTC: {self._problem}"

    @property
    def _age(self) -> float | None:
        if self._page is None:
            return None
        return self._page.age + max(0.0, self._clock() - self._at)

    @property
    def _link(self) -> Link:
        if self._problem:
            return Link.SILENT
        if self._page is None or self._age is None:
            return Link.ASKING
        return Link.STALE if self._age > self._page.stale_after else Link.FRESH

    def _matters(self) -> object:
        known = self._snapshot
        gist = known and (
            *(known.phase, known.reason, known.message, len(known.conditions)),
            *(len(known.incidents), len(known.drift.left)),
            tuple((name, one.state.phase) for name, one in known.engines.items()),
        )
        return self._link, gist

    def _fail(self, problem: str) -> None:
        self._problem, self._since = problem, self._since or self._clock()

    async def _load(self) -> tuple[Page, Snapshot]:
        status, body = await self._fetch(f"{self.target.url}/v1/page")
        if status == 404:  # an agent of before it had a page
            status, body = await self._fetch(f"{self.target.url}/v1/status")
            if status == 200:
                snapshot = msgspec.json.decode(body, type=Snapshot)
                age = max(0.0, self._clock() - snapshot.at)
                return Page(snapshot=Raw(body), age=age), snapshot
        if status != 200:
            raise ConnectionError(_why(status, body))
        page = msgspec.json.decode(body, type=Page)
        return page, msgspec.json.decode(page.snapshot, type=Snapshot)


class _Problem(Struct):
    error: str


def _why(status: int, body: bytes) -> str:
    try:
        return f"its agent says: {msgspec.json.decode(body, type=_Problem).error[:200]}"
    except GARBAGE:
        return f"it answers with HTTP {status}"
