"""What nginx gets of the API keys: maps from header to client, and each client's limits. Pure.

nginx itself refuses an expired key, at the moment when its last day is over: no deploy, no timer
and no reload is needed for it. It compares `$msec`, the seconds since 1970, with a regular
expression, because it has no other comparison; there are no captures in it.

A rate cannot be a variable of nginx, so every distinct limit is a zone of its own. Its key is the
client's name for those that have this limit, and empty for all others: these it does not count.
Zones and keys are named after the limit: nginx refuses to reload a zone whose key has changed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from agent.spec import GatewaySpec
from fleet.keys import ApiKey, Limits, limits

EXPIRED = " expired"  # behind a header, so that no header is equal to it
LEAST_HASH = 2048  # nginx's own


@dataclass(frozen=True)
class Group:
    """The clients that share one limit. `others`: all that no group names have it too."""

    zone: str
    what: str
    members: tuple[str, ...]
    others: bool

    def key(self, elsewhere: Iterable[str]) -> str:
        """Return the map to the zone's key; `elsewhere` are the clients of the other groups."""
        lines = [f'    "{name}" "{name}";\n' for name in self.members]
        if self.others:
            lines = [f'    "{name}" "";\n' for name in sorted(elsewhere)]
        default = "$stoker_named" if self.others else '""'
        return f"map $stoker_named ${self.zone} {{\n    default {default};\n{''.join(lines)}}}\n"


def http(api_keys: list[ApiKey], gateway: GatewaySpec) -> str:
    """Return what stands in nginx's `http`: the maps and the zones. It is secret.

    `map` ignores case, so `$stoker_exact` gives back the exact header for nginx to compare with.
    """
    days = sorted({key.expires for key in api_keys if key.expires})
    names = "".join(f'    "Bearer {key.secret}" "{key.name}";\n' for key in api_keys)
    exact = "".join(f'    "Bearer {key.secret}" "{_exact(key)}";\n' for key in api_keys)
    return "".join((
        "# Written by Stoker from gateway_keys_file.\n",
        f"map_hash_max_size {max(LEAST_HASH, 4 * len(api_keys))};\n",
        # One variable for each distinct limit and last day.
        "variables_hash_max_size 4096;\nvariables_hash_bucket_size 128;\n",
        *map(_past, days),
        f'map $http_authorization $stoker_named {{\n    default "";\n{names}}}\n',
        f'map $http_authorization $stoker_exact {{\n    default "";\n{exact}}}\n',
        *_zones("limit_req_zone", _requests(api_keys, gateway), " rate={}"),
        *_zones("limit_conn_zone", _connections(api_keys, gateway), ""),
    ))  # fmt: skip


def location(api_keys: list[ApiKey], gateway: GatewaySpec) -> str:
    """Return what stands in each location that leads to an engine: all the limits."""
    rates = [
        f"limit_req zone={one.zone} burst={one.zone.rpartition('_')[2]} nodelay;\n"
        for one in _requests(api_keys, gateway)
    ]
    counts = [f"limit_conn {one.zone} {one.what};\n" for one in _connections(api_keys, gateway)]
    head = "# Written by Stoker from gateway_keys_file: the limits of its clients.\n"
    return "".join([head, *rates, *counts])


def _exact(key: ApiKey) -> str:
    return f"Bearer {key.secret}" + (f"${_past_name(key.expires)}" if key.expires else "")


def _past_name(day: date) -> str:
    return f"stoker_past_{day:%Y%m%d}"


def _past(day: date) -> str:
    """Return the map of a variable that is empty until the day is over."""
    after = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
    pattern = from_on(int(after.timestamp()))
    return (
        f"# expires={day}\n"
        f'map $msec ${_past_name(day)} {{\n    default "";\n    "~{pattern}" "{EXPIRED}";\n}}\n'
    )


def from_on(seconds: int) -> str:
    """Return a regular expression for numbers of ten digits, `seconds` or more, at the start."""
    digits = f"{seconds:010}"
    above = [
        digits[:place] + (f"[{int(digit) + 1}-9]" if digit < "8" else "9")
        for place, digit in enumerate(digits)
        if digit < "9"
    ]
    return f"^(?:{'|'.join([*above, digits])})"


def _requests(api_keys: list[ApiKey], gateway: GatewaySpec) -> list[Group]:
    def zone(own: Limits) -> tuple[str, str]:
        rate = own.requests_per_second or gateway.requests_per_second
        burst = gateway.burst if own.burst is None else own.burst
        minute = max(1, round(rate * 60))
        return f"stoker_requests_{minute}_{burst}", f"{minute}r/m"

    return _groups(limits(api_keys), zone(Limits()), zone)


def _connections(api_keys: list[ApiKey], gateway: GatewaySpec) -> list[Group]:
    def zone(own: Limits) -> tuple[str, str]:
        count = own.concurrent or gateway.connections_per_key
        return f"stoker_concurrent_{count}", str(count)

    return _groups(limits(api_keys), zone(Limits()), zone)


def _groups(
    clients: Mapping[str, Limits],
    usual: tuple[str, str],
    zone: Callable[[Limits], tuple[str, str]],
) -> list[Group]:
    found: dict[tuple[str, str], list[str]] = {usual: []}
    for name, own in clients.items():
        found.setdefault(zone(own), []).append(name)
    return [
        Group(name, what, tuple(sorted(members)), others=(name, what) == usual)
        for (name, what), members in sorted(found.items())
    ]


def _zones(directive: str, groups: list[Group], how: str) -> Iterable[str]:
    for group in groups:
        elsewhere = [name for other in groups if other is not group for name in other.members]
        yield group.key(elsewhere)
        yield f"{directive} ${group.zone} zone={group.zone}:2m{how.format(group.what)};\n"
