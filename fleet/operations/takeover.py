"""Containers of others that a deploy takes over: stopped, and then removed.

Docker's restart policy is taken off after the stop, not before: `docker update` writes the rules of
a running container's devices anew, and takes GPUs of the legacy hook away from it. For the same
reason its unit is disabled without making systemd read its files again. A unit may start the
container once more as soon as that has stopped, so it is stopped afterwards: requests in flight
get all of the time that they are given.
"""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from fleet.facts.foreign import Container, ForeignContainers
from fleet.operations.stop import fail
from fleet.operations.told import Told

MARGIN = 120  # seconds for what is not waiting for requests in flight

_STOP = r"""
exec 2>&1
[ -z "$unit" ] || systemctl disable --no-reload "$unit"
echo "container $name stops, in at most $seconds s"
docker stop -t "$seconds" "$name" >/dev/null
[ -z "$unit" ] || systemctl stop "$unit"
! docker inspect "$name" >/dev/null 2>&1 || docker stop -t 0 "$name" >/dev/null
! docker inspect "$name" >/dev/null 2>&1 || docker update --restart=no "$name" >/dev/null
"""
_REMOVE = r"""
docker rm -f "$name" >/dev/null 2>&1
left=$(docker ps -aq --filter "name=^/$name\$") || exit 1
[ -z "$left" ] || { echo "container $name cannot be removed"; exit 1; }
echo "container $name is removed$after"
"""


@operation()
def removed(names: list[str], seconds: int) -> Generator[StringCommand]:
    """Stop and remove those of `names` that are there; their volumes and mounts stay."""
    found = host.get_fact(ForeignContainers, wanted=[])
    if found is None:
        yield fail(f"Docker does not answer: container {', '.join(names)} cannot be taken over")
        return
    there = [one for one in found if one.name in names]
    if not there:
        host.noop("no container is to be taken over")
    for one in there:
        yield Told(
            "name=", QuoteString(one.name), "; unit=", QuoteString(one.unit),
            f"; seconds={seconds}; after=", QuoteString(_after(one)), ";", _STOP + _REMOVE,
            _separator="", _timeout=seconds + MARGIN,
        )  # fmt: skip


def _after(one: Container) -> str:
    """Return what the operator is to do once it is gone, to be appended to that sentence."""
    said = ""
    if one.secrets:
        said += f"; it held {', '.join(one.secrets)}, for all to read: revoke what that was"
    if one.project:
        said += f"; Compose would start it again: take it out of {one.project} in {one.directory}"
    return said
