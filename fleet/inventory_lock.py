"""One run at a time over an inventory, on this machine: also of two that have no host in common.

Hosts that a run leaves out still count: it must know who else serves a model. Two inventories with
a common host are one inventory. The locks of the hosts themselves are `fleet.locking`'s.
"""

import fcntl
import json
import os
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from pyinfra.api.host import Host

from agent.errors import GARBLED
from agent.hostlock import TTL
from fleet.holder import Holder
from fleet.render import ROOT

DIRECTORY = ROOT / ".stoker" / "locks"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A run, and all hosts of its inventory."""

    holder: Holder
    hosts: frozenset[str]

    def alive(self, now: float) -> bool:
        """Tell whether the run goes on; one of another machine has to be heard of."""
        return not self.holder.ended and now < self.holder.expires


def key(host: Host) -> str:
    """Return what tells a host from others, in any inventory."""
    address = host.data.get("ssh_hostname") or host.name
    return f"{host.name} {address}:{host.data.get('ssh_port') or 22}"


def in_the_way(
    there: Iterable[Held], hosts: Collection[str], token: str, now: float
) -> tuple[Holder, ...]:
    """Return who has an inventory with one of these hosts. Pure but for the look at a process."""
    return tuple(
        one.holder
        for one in there
        if one.alive(now) and one.holder.token != token and one.hosts & set(hosts)
    )


def take(hosts: Collection[str], mine: Holder, directory: Path = DIRECTORY) -> tuple[Holder, ...]:
    """Have the inventory of these hosts; return who has it instead, or nobody."""
    with _alone(directory):
        now = time.time()
        if others := in_the_way(_read(directory), hosts, mine.token, now):
            return others
        held = msgspec.structs.replace(mine, since=now, expires=now + TTL)
        _write(directory, Held(holder=held, hosts=frozenset(hosts)))
        return ()


def beat(mine: Holder, directory: Path = DIRECTORY) -> None:
    """Tell that the run goes on; what was taken away stays away."""
    with _alone(directory):
        for one in _read(directory):
            if one.holder.token == mine.token:
                later = msgspec.structs.replace(one.holder, expires=time.time() + TTL)
                _write(directory, msgspec.structs.replace(one, holder=later))


def leave(mine: Holder, directory: Path = DIRECTORY) -> None:
    """Give it back."""
    with _alone(directory):
        _path(directory, mine).unlink(missing_ok=True)


def holders(hosts: Collection[str], directory: Path = DIRECTORY) -> tuple[Holder, ...]:
    """Return who has an inventory with one of these hosts."""
    if not directory.is_dir():
        return ()
    return in_the_way(_read(directory), hosts, "", time.time())


def free(hosts: Collection[str], directory: Path = DIRECTORY) -> tuple[Holder, ...]:
    """Take it away from whoever has it; return who had."""
    found = holders(hosts, directory)
    for one in found:
        leave(one, directory)
    return found


def _read(directory: Path) -> Iterator[Held]:
    for path in sorted(directory.glob("*.json")):
        with suppress(OSError, *GARBLED):  # gone meanwhile; or cut by a crash: nobody's
            yield msgspec.json.decode(path.read_bytes(), type=Held)


def _path(directory: Path, holder: Holder) -> Path:
    return directory / f"{holder.token}.json"


def _write(directory: Path, held: Held) -> None:
    path = _path(directory, held.holder)
    new = path.with_suffix(".new")
    document = {"holder": msgspec.to_builtins(held.holder), "hosts": sorted(held.hosts)}
    with new.open("w") as file:
        file.write(json.dumps(document))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "guard").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
