"""API keys: the operator's file. Pure. What nginx gets of it is made by `key_maps`.

A line is `NAME KEY` and then what is particular: `expires=2026-12-31` (the last day, UTC),
`disabled`, and limits of this client. A name may stand on two lines: two keys of one client, while
the one takes the place of the other.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any

NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,39}\Z")
# Nothing that nginx or a shell could take for syntax; as long as OpenAI's keys, or shorter.
SECRET = re.compile(r"^[A-Za-z0-9._~+/=-]{16,200}\Z")
AT_ONCE = 2  # keys of one client that can be used
DAY = re.compile(r"^\d{4}-\d\d-\d\d\Z")
NUMBER = re.compile(r"^\d{1,6}(\.\d{1,3})?\Z")


class KeysError(ValueError):
    """The keys file is wrong; the text names the line, never the key."""


@dataclass(frozen=True)
class Limits:
    """What one client may do at once; None: as the gateway's settings say."""

    requests_per_second: float | None = None
    burst: int | None = None
    concurrent: int | None = None


@dataclass(frozen=True)
class ApiKey:
    """One key of a client of the gateway; `name` is what the access log shows.

    `expires` is the last day on which it is good, in UTC.
    """

    name: str
    secret: str = field(repr=False)
    expires: date | None = None
    disabled: bool = False
    limits: Limits = Limits()

    def usable(self, today: date) -> bool:
        """Tell whether requests with it are let in on that day."""
        return not self.disabled and (self.expires is None or today <= self.expires)


def parse(text: str) -> list[ApiKey]:
    """Read the lines of a file, or a single raw key (then its name is `default`); `#` comments."""
    found = {
        number: _line(number, words)
        for number, line in enumerate(text.splitlines(), 1)
        if (words := line.split("#")[0].split())
    }
    if not found:
        raise KeysError("holds no key; without one nobody could use the endpoint")
    _differ(found)
    return list(found.values())


def usable(api_keys: Iterable[ApiKey], today: date) -> list[ApiKey]:
    """Return the keys that are good on that day; raise `KeysError` when there is none.

    At most two of one name, and they must agree about its limits.
    """
    found = [key for key in api_keys if key.usable(today)]
    if not found:
        raise KeysError("every key is disabled or expired; nobody could use the endpoint")
    for name, own in limits(found).items():
        keys = [key for key in found if key.name == name]
        if len(keys) > AT_ONCE:
            raise KeysError(
                f"{name} has {len(keys)} keys; at most {AT_ONCE} at once, the old one and the new: "
                "give the others `disabled`"
            )
        for key in keys:
            if _merged(key.limits, own) != own:
                raise KeysError(
                    f"the two keys of {name} differ in their limits; give both the same"
                )
    return found


def limits(api_keys: Iterable[ApiKey]) -> dict[str, Limits]:
    """Return the limits of each client: what any of its lines says."""
    found: dict[str, Limits] = {}
    for key in api_keys:
        found[key.name] = _merged(key.limits, found.get(key.name, Limits()))
    return found


def _merged(first: Limits, rest: Limits) -> Limits:
    said = {f.name: value for f in fields(first) if (value := getattr(first, f.name)) is not None}
    return replace(rest, **said)


def _line(number: int, words: list[str]) -> ApiKey:
    name, secret = words[:2] if len(words) > 1 else ("default", words[0])
    if not NAME.match(name):
        raise KeysError(f"line {number}: a name has 1 to 40 of a-z, 0-9, '.', '_', '-'")
    if not SECRET.match(secret):
        raise KeysError(f"line {number}: a key has 16 to 200 of A-Z, a-z, 0-9, '._~+/=-'")
    if any(secret.startswith(f"{option}=") for option in OPTIONS):
        raise KeysError(f"line {number}: expected `NAME KEY`, and options after them")
    found = ApiKey(name, secret)
    seen = set[str]()
    for word in words[2:]:
        option, equals, value = word.partition("=")
        if option in seen:
            raise KeysError(f"line {number}: {option} is given twice")
        if word == "disabled":
            found = replace(found, disabled=True)
        elif equals and option == "expires":
            found = replace(found, expires=_day(number, value))
        elif equals and option in OPTIONS:
            count: Any = _count(number, option, value)
            found = replace(found, limits=replace(found.limits, **{option: count}))
        else:  # the word is not repeated: it may be a key
            raise KeysError(
                f"line {number}: unknown option; after `NAME KEY` may come disabled, "
                + ", ".join(f"{known}=" for known in OPTIONS)
            )
        seen.add(option)
    return found


OPTIONS = ("expires", *(f.name for f in fields(Limits)))


def _day(number: int, value: str) -> date:
    try:
        return date.fromisoformat(value if DAY.match(value) else "")
    except ValueError:
        raise KeysError(f"line {number}: expires= needs a day, such as 2026-12-31") from None


def _count(number: int, option: str, value: str) -> float | int:
    whole = option != "requests_per_second"
    least = 0 if option == "burst" else 1 if whole else 1 / 60
    if not NUMBER.match(value) or (whole and "." in value) or float(value) < least - 1e-3:
        wanted = {
            "burst": "a whole number, 0 or more",
            "concurrent": "a whole number, 1 or more",
            "requests_per_second": "a number such as 5 or 0.5, at least one a minute (0.017)",
        }
        raise KeysError(f"line {number}: {option}= needs {wanted[option]}")
    return int(value) if whole else float(value)


def _differ(found: dict[int, ApiKey]) -> None:
    lines: dict[str, int] = {}
    for number, key in found.items():
        first = lines.setdefault(key.secret.lower(), number)
        if first != number:
            raise KeysError(
                f"lines {first} and {number} have the same key (nginx's map ignores case)"
            )
