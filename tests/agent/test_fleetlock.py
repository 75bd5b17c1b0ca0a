"""The FleetLock client against a real server, with and without trouble on the way."""

import asyncio
import random
from collections.abc import AsyncIterator

import aiohttp
import pytest

from agent.fleetlock import FleetLock, Granted, NoLock, Refused, Slot, judge
from agent.keeper import Keeper
from tests.agent.fakes import FakeDisk
from tests.agent.fleetlock_server import AIRLOCK_FULL, Answer, Fault, FleetLockServer
from tests.ports import free_port

DEADLINE = 0.3


class Fleet:
    """A server of two slots whose next faults can be set, and clients of it."""

    def __init__(self, http: aiohttp.ClientSession, full: Answer = AIRLOCK_FULL) -> None:
        self.next_faults: list[Fault] = []
        self.server = FleetLockServer({"gpu": 2}, self._fault, full)
        self._http = http

    def _fault(self, _call: str, _id: str) -> Fault:
        return self.next_faults.pop(0) if self.next_faults else Fault.NONE

    def client(self, name: str, group: str = "gpu", deadline: float = DEADLINE) -> FleetLock:
        return FleetLock(self.server.url, group, name, self._http, deadline)

    @property
    def holders(self) -> set[str]:
        return self.server.holders["gpu"]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
async def fleet(http: aiohttp.ClientSession) -> AsyncIterator[Fleet]:
    made = Fleet(http)
    async with made.server:
        yield made


async def test_slots_are_granted_kept_and_given_back(fleet: Fleet) -> None:
    a, b, c = (fleet.client(name) for name in "abc")
    assert isinstance(await a.acquire(), Granted)
    assert isinstance(await a.acquire(), Granted)  # recursive: still one slot
    assert fleet.holders == {"a"}
    assert isinstance(await b.acquire(), Granted)
    refused = await c.acquire()
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.busy, refused.kind) == ("SlotsTaken", True, "failed_lock")
    assert "all 2 semaphore slots currently locked" in refused.message
    assert await c.release() is None  # releases nothing of others
    assert fleet.holders == {"a", "b"}
    assert await a.release() is None
    assert await a.release() is None
    assert isinstance(await c.acquire(), Granted)
    assert fleet.holders == {"b", "c"}


@pytest.mark.parametrize(
    "full",
    [
        AIRLOCK_FULL,
        (423, "lock_held", "reboot lease unavailable, held by x"),  # poseidon/fleetlock
        (423, "locked", "reboot lease unavailable, held by x"),  # and before
        (409, "failed_lock_semaphore_full", "all slots are locked already"),  # the protocol's text
    ],
)
async def test_busy_is_understood_from_every_known_server(
    http: aiohttp.ClientSession, full: Answer
) -> None:
    fleet = Fleet(http, full)
    fleet.server.groups["gpu"] = 0
    async with fleet.server:
        refused = await fleet.client("a").acquire()
    assert isinstance(refused, Refused)
    assert refused.busy
    assert full[2] in refused.message


@pytest.mark.parametrize(
    ("fault", "reason", "shown"),
    [
        (Fault.ERROR, "LockBroken", "failed_sem_init: context deadline exceeded"),
        (Fault.GARBAGE, "LockBroken", "HTTP 502"),
        (Fault.REDIRECT, "LockBroken", "HTTP 302"),
        (Fault.PORTAL, "LockBroken", "text/html"),
        (Fault.CUT_BEFORE, "LockUnreachable", "/v1/pre-reboot"),
        (Fault.CUT_AFTER, "LockUnreachable", "/v1/pre-reboot"),
        (Fault.HANG, "LockLate", "no answer within 0.3 s"),
    ],
)
async def test_what_is_broken_is_neither_yes_nor_busy(
    fleet: Fleet, fault: Fault, reason: str, shown: str
) -> None:
    fleet.next_faults = [fault]
    refused = await fleet.client("a").acquire()
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.busy) == (reason, False)
    assert shown in refused.message
    carried_out = fault in {Fault.CUT_AFTER, Fault.HANG}
    assert fleet.holders == ({"a"} if carried_out else set())
    assert await fleet.client("a").release() is None  # as who gives up must
    assert fleet.holders == set()


async def test_a_server_that_is_dead_or_does_not_accept(http: aiohttp.ClientSession) -> None:
    dead = FleetLock(f"http://127.0.0.1:{free_port()}", "gpu", "a", http, DEADLINE)
    for refused in (await dead.acquire(), await dead.release()):
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.busy) == ("LockUnreachable", False)


@pytest.mark.parametrize(
    ("name", "group", "kind"),
    [
        ("", "gpu", "invalid_client_identity"),
        ("a", "no group", "invalid_client_identity"),
        ("a", "other", "unknown_group"),
    ],
)
async def test_what_the_server_does_not_know_is_our_mistake(
    fleet: Fleet, name: str, group: str, kind: str
) -> None:
    client = fleet.client(name, group)
    for refused in (await client.acquire(), await client.release()):
        assert isinstance(refused, Refused)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.kind, refused.busy) == ("LockRejects", kind, False)


async def test_the_server_refuses_stray_posts(fleet: Fleet, http: aiohttp.ClientSession) -> None:
    body = {"client_params": {"id": "a", "group": "gpu"}}
    async with http.post(f"{fleet.server.url}/v1/pre-reboot", json=body) as answer:
        assert answer.status == 400  # or the tests above would not miss the header
    assert fleet.holders == set()


def test_a_long_answer_is_not_shown_in_full() -> None:
    body = b'{"kind": "k", "value": "' + b"x" * 5000 + b'"}'
    refused = judge("http://lock", 500, "application/json", body)
    assert refused is not None
    assert len(refused.message) < 300


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"failed_lock_semaphore_full","value":"\xff"}',
        b'{"kind":"failed_lock_semaphore_full","x":' + b"[" * 5000,
        b"\xff",
    ],
)
def test_an_answer_with_anything_in_it_is_broken(body: bytes) -> None:
    assert judge("http://lock", 500, "text/plain", body) == judge(
        "http://lock", 500, "text/plain", b"{"
    )
    refused = judge("http://lock", 502, "application/json", body)
    assert refused is not None
    assert (refused.reason, refused.busy, refused.kind) == ("LockBroken", False, "")


async def test_no_lock_is_always_free() -> None:
    slot: Slot = NoLock()
    assert isinstance(await slot.acquire(), Granted)
    assert await slot.release() is None


# A fleet in trouble. Every node gives back, asks, acts, and now and then dies with its slot.
CLIENTS, SLOTS, ROUNDS = 200, 4, 15
TROUBLE = {
    Fault.NONE: 70,
    Fault.ERROR: 5,
    Fault.GARBAGE: 3,
    Fault.CUT_BEFORE: 5,
    Fault.CUT_AFTER: 5,
    Fault.HANG: 4,
    Fault.LATE: 15,
    Fault.REDIRECT: 2,
    Fault.PORTAL: 2,
}


class Simulation:
    """Who acts at any moment; `most` at once; `robbed` are acts that lost their slot meanwhile."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.server = FleetLockServer({"gpu": SLOTS}, self.fault)
        self.acting: set[str] = set()
        self.most = self.acts = self.robbed = 0

    def fault(self, _call: str, name: str) -> Fault:
        """Return the trouble of one request; one client in 20 is cut off for good, both ways."""
        if int(name.partition(".")[0]) % 20 == 0:
            return self.dice.choice([Fault.CUT_BEFORE, Fault.CUT_AFTER])
        return self.dice.choices(list(TROUBLE), weights=list(TROUBLE.values()))[0]

    async def live(self, name: str, slot: Slot) -> None:
        for _ in range(ROUNDS):
            await asyncio.sleep(self.dice.uniform(0, 0.1))
            await slot.release()
            if isinstance(await slot.acquire(), Granted):
                await self._act(name)
                if self.dice.random() < 0.01:
                    return  # dead, with its slot, which nobody else may ever get

    async def _act(self, name: str) -> None:
        self.acting.add(name)
        self.acts += 1
        self.most = max(self.most, len(self.acting))
        await asyncio.sleep(self.dice.uniform(0.05, 0.2))
        self.acting.remove(name)
        self.robbed += not any(one.startswith(f"{name}.") for one in self.server.holders["gpu"])


def keeper(url: str, name: str, http: aiohttp.ClientSession) -> Keeper:
    """What the agent has in front of the client, for one group."""

    def line(group: str, slot: str) -> Slot:
        return FleetLock(url, group, slot, http, DEADLINE)

    return Keeper(FakeDisk(), lambda: ("gpu",), line, name)


@pytest.mark.parametrize("seed", [1, 2])
async def test_never_more_act_than_there_are_slots(seed: int) -> None:
    world = Simulation(seed)
    connector = aiohttp.TCPConnector(limit=0)
    async with world.server, aiohttp.ClientSession(connector=connector) as http:
        names = [str(number) for number in range(CLIENTS)]
        await asyncio.gather(
            *(world.live(name, keeper(world.server.url, name, http)) for name in names)
        )
    assert SLOTS // 2 < world.most <= SLOTS  # the limit was felt, and kept
    assert world.robbed == 0
    assert world.acts > 2 * SLOTS
