"""Tells phase changes and incidents to one URL: in order, signed, and each event once.

Every request is a POST of JSON, `{"id", "at", "node", "kind", …}`, with the headers
`Stoker-Event-Id`, `Stoker-Timestamp` and `Stoker-Signature`; the receiver's part is
`webhook_signature.verify`. 2xx settles an event. An agent that dies between the answer and its
note of it sends that event again: a receiver that minds compares ids.
"""

import asyncio
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
import msgspec

from agent.webhook_queue import (
    Queue,
    Verdict,
    Waiting,
    add,
    delay,
    overdue,
    retry_after,
    settle,
    verdict,
)
from agent.webhook_signature import sign
from agent.webhook_spool import Spool

log = logging.getLogger("stoker.webhook")


class _Outcome(msgspec.Struct, frozen=True):
    verdict: Verdict
    message: str
    retry_after: float = 0.0  # seconds


class Webhook:
    """Delivers what it is told while `run` runs. Neither secret nor URL is ever logged.

    `spool` is a file that keeps what waits over a restart; `deadline` in seconds bounds one try.
    `sent` and `dropped` (by reason) count since the start of the process.
    """

    def __init__(
        self,
        url: str,
        secret: bytes,
        http: aiohttp.ClientSession,
        node: str,
        spool: Path,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        deadline: float = 10.0,
    ) -> None:
        self._url, self._secret, self._http, self._node = url, secret, http, node
        self._spool, self._clock, self._pause, self._jitter = Spool(spool), clock, pause, jitter
        self._deadline = deadline
        self._queue = self._spool.load()
        self._told, self._changed = asyncio.Event(), asyncio.Event()
        self._reached = True
        self.sent = 0
        self.dropped: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """How many events are still to be sent."""
        return len(self._queue.waiting)

    def tell(self, event: Mapping[str, object]) -> None:
        """Take an event with at least `id`, `at` and `kind`; one whose id is known is ignored.

        Never blocks: the event is in the spool a moment later. Raises `ValueError` for an id that
        is not 1 to 128 printable ASCII characters, and `KeyError` for what is missing.
        """
        name = str(event["id"])
        if not re.fullmatch("[!-~]{1,128}", name):
            raise ValueError(f"an event's id goes into a header; it cannot be {name!r}")
        head = {"id": name, "at": event["at"], "node": self._node, "kind": event["kind"]}
        rest = {key: value for key, value in event.items() if key not in head}
        body = msgspec.json.encode({**head, **rest}).decode()
        self._become(add(self._queue, Waiting(name, self._clock(), body)))
        self._trim()

    async def run(self) -> None:
        """Deliver until cancelled; what is not delivered then waits in the spool."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep())
                group.create_task(self._deliver())
        finally:
            self._spool.save(self._latest)

    async def _deliver(self) -> None:
        tries = 0
        while True:
            self._trim()
            if not self._queue.waiting:
                self._told.clear()
                await self._told.wait()
                continue
            event = self._queue.waiting[0]
            outcome = await self._try(event)
            if outcome.verdict is Verdict.RETRY:
                tries += 1
                self._missed(outcome.message)
                await self._pause(delay(tries, outcome.retry_after, self._jitter()))
                continue
            tries = 0
            self._arrived()
            if outcome.verdict is Verdict.REFUSED:
                self._drop(event.id, "Refused", f"the receiver said {outcome.message}")
            else:
                self.sent += 1
                self._become(settle(self._queue, event.id))

    async def _try(self, event: Waiting) -> _Outcome:
        timestamp, body = str(int(self._clock())), event.body.encode()
        headers = {
            "Content-Type": "application/json",
            "Stoker-Event-Id": event.id,
            "Stoker-Timestamp": timestamp,
            "Stoker-Signature": sign(self._secret, timestamp, body),
        }
        try:
            async with self._http.post(
                self._url,
                data=body,
                headers=headers,
                allow_redirects=False,  # what is signed is for this receiver alone
                timeout=aiohttp.ClientTimeout(total=self._deadline),
            ) as answer:
                wait = retry_after(answer.headers.get("Retry-After"), self._clock())
                return _Outcome(verdict(answer.status), f"HTTP {answer.status}", wait)
        except TimeoutError:
            return _Outcome(Verdict.RETRY, f"no answer within {self._deadline:g} s")
        except (aiohttp.ClientError, OSError) as error:
            # The text of other errors holds the URL, and that may hold a token.
            text = error.strerror if isinstance(error, OSError) else None
            return _Outcome(Verdict.RETRY, text or type(error).__name__)

    def _missed(self, message: str) -> None:
        if self._reached:
            log.warning("the webhook's receiver cannot be reached (%s); trying on", message)
        self._reached = False

    def _arrived(self) -> None:
        if not self._reached:
            log.info("the webhook's receiver answers again; %d events wait", self.waiting)
        self._reached = True

    def _trim(self) -> None:
        for event_id, reason in overdue(self._queue, self._clock()):
            self._drop(event_id, reason, f"{self.waiting} events wait")

    def _drop(self, event_id: str, reason: str, message: str) -> None:
        log.warning("event %s is dropped: reason=%s: %s", event_id, reason, message)
        self.dropped[reason] += 1
        self._become(settle(self._queue, event_id))

    def _become(self, queue: Queue) -> None:
        if queue is not self._queue:
            self._queue = queue
            self._told.set()
            self._changed.set()

    async def _keep(self) -> None:
        """Write the spool after each change, in a thread: a disk may be slow."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.to_thread(self._spool.save, self._latest)

    def _latest(self) -> Queue:
        return self._queue
