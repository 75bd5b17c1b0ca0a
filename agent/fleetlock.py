"""A slot in the fleet's disruption budget, asked of a FleetLock server: see `agent.brake`.

The protocol (Zincati, "FleetLock protocol"): `POST BASE/v1/pre-reboot` takes a slot or keeps it,
`POST BASE/v1/steady-state` gives it back; both may be repeated; 200 is yes and all else is no.
A slot is kept through the reboot, and given back by a node that came back well. There is no
expiry: a node that dies keeps its slot until an operator frees it.
"""

from typing import Protocol

import aiohttp
import msgspec

from agent.errors import GARBLED

SLOTS_TAKEN, SETTLING = "SlotsTaken", "LockSettling"
_BODY_LIMIT = 16 * 1024  # bytes of an error that are read
_SHOWN = 200  # characters of a server's own words that are shown
_HEADER = {"fleet-lock-protocol": "true"}
# The example of the protocol's text; poseidon/fleetlock, now and before (internal/encode.go).
_FULL = {"failed_lock_semaphore_full", "lock_held", "locked"}


class Granted(msgspec.Struct, frozen=True):
    """The slot is ours until `release`."""

    message: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """No, or nothing that is surely yes: do not act. `kind` is the server's word, if it gave one.

    `busy`: it was asked and all slots are taken; else something is broken, and the server may even
    have given us the slot without our hearing of it: whoever gives up then calls `release`.
    """

    reason: str
    message: str
    kind: str = ""

    @property
    def busy(self) -> bool:
        """Whether waiting helps without anybody repairing anything."""
        return self.reason == SLOTS_TAKEN

    @property
    def expected(self) -> bool:
        """Whether all is as it should be, and only time has to pass."""
        return self.reason == SETTLING


class Slot(Protocol):
    """Permission to disrupt; both calls may be repeated, and neither raises."""

    async def acquire(self) -> Granted | Refused:
        """Take a slot, or keep the one that is held."""

    async def release(self) -> Refused | None:
        """Give back what may be held; None when surely nothing is held any more."""


class NoLock:
    """The slot of a fleet without a FleetLock server: always free."""

    async def acquire(self) -> Granted | Refused:
        """Grant."""
        return Granted("no FleetLock server is configured")

    async def release(self) -> Refused | None:
        """Do nothing."""
        return None


class FleetLock:
    """A slot of `group` at the server of base URL `url`; `deadline` in seconds bounds each call.

    The server may carry a call out late, after the next one: see `agent.slots` for what to do.
    """

    def __init__(
        self,
        url: str,
        group: str,
        name: str,
        http: aiohttp.ClientSession,
        deadline: float = 10.0,
    ) -> None:
        self._url, self._http, self._deadline = url.rstrip("/"), http, deadline
        self._body = {"client_params": {"id": name, "group": group}}

    async def acquire(self) -> Granted | Refused:
        """Ask for the slot once."""
        return await self._ask("pre-reboot") or Granted(f"{self._url} granted a slot")

    async def release(self) -> Refused | None:
        """Ask once that the slot be given back; while this is refused, it may still be held."""
        return await self._ask("steady-state")

    async def _ask(self, call: str) -> Refused | None:
        url = f"{self._url}/v1/{call}"
        try:
            async with self._http.post(
                url,
                json=self._body,
                headers=_HEADER,
                allow_redirects=False,  # a redirected POST may become a GET that says 200
                timeout=aiohttp.ClientTimeout(total=self._deadline),
            ) as answer:
                body = b"" if answer.status == 200 else await _beginning(answer)
                return judge(url, answer.status, answer.content_type, body)
        except TimeoutError:
            message = f"{url}: no answer within {self._deadline:g} s"
            return Refused(reason="LockLate", message=message)
        except (aiohttp.ClientError, OSError) as error:
            return Refused(reason="LockUnreachable", message=f"{url}: {error}")


class _Error(msgspec.Struct):
    kind: str
    value: str


def judge(url: str, status: int, content_type: str, body: bytes) -> Refused | None:
    """Return None if the answer is yes, else what it means.

    A page in HTML is no yes, whatever its status: some portal answered in the server's place.
    """
    if status == 200 and content_type != "text/html":
        return None
    try:
        said = msgspec.json.decode(body, type=_Error)
    except GARBLED:
        said = _Error("", "")
    words = f"{said.kind}: {said.value}"[:_SHOWN] if said.kind else f"an answer of {content_type}"
    return Refused(
        reason=_reason(status, said), message=f"{url}: HTTP {status}: {words}", kind=said.kind
    )


def _reason(status: int, said: _Error) -> str:
    # airlock has one kind for "all slots taken" and for trouble with etcd (internal/lock).
    full = said.kind == "failed_lock" and "slots currently locked" in said.value
    if status >= 400 and (said.kind in _FULL or full):
        return SLOTS_TAKEN
    if 400 <= status < 500:
        return "LockRejects"
    return "LockBroken"


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    while chunk := await answer.content.read(_BODY_LIMIT - len(body)):
        body += chunk
    return body
