"""API keys: the operator's file, and nginx's maps made of it. Pure."""

import re
from dataclasses import dataclass, field

NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,39}$")
# Nothing that nginx or a shell could take for syntax; as long as OpenAI's keys, or shorter.
SECRET = re.compile(r"^[A-Za-z0-9._~+/=-]{16,200}$")


class KeysError(ValueError):
    """The keys file is wrong; the text names the line, never the key."""


@dataclass(frozen=True)
class ApiKey:
    """One client of the gateway; `name` is what the access log shows."""

    name: str
    secret: str = field(repr=False)


def parse(text: str) -> list[ApiKey]:
    """Read lines `NAME KEY`, or a single raw key (then its name is `default`); `#` comments."""
    found: list[ApiKey] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) > 2:
            raise KeysError(f"line {number}: expected `NAME KEY`")
        name, secret = words if len(words) == 2 else ("default", words[0])
        if not NAME.match(name):
            raise KeysError(f"line {number}: a name has 1 to 40 of a-z, 0-9, '.', '_', '-'")
        if not SECRET.match(secret):
            raise KeysError(f"line {number}: a key has 16 to 200 of A-Z, a-z, 0-9, '._~+/=-'")
        found.append(ApiKey(name, secret))
    if not found:
        raise KeysError("holds no key; without one nobody could use the endpoint")
    if len({key.name for key in found}) < len(found):
        raise KeysError("two keys have the same name")
    if len({key.secret.lower() for key in found}) < len(found):
        raise KeysError("two clients have the same key (nginx's map ignores case)")
    return found


def render(api_keys: list[ApiKey]) -> str:
    """Render the maps that nginx includes.

    `map` ignores case, so the second map gives back the exact header for nginx to compare with.
    """
    names = "".join(f'    "Bearer {key.secret}" "{key.name}";\n' for key in api_keys)
    exact = "".join(f'    "Bearer {key.secret}" "Bearer {key.secret}";\n' for key in api_keys)
    return (
        "# Written by Stoker from gateway_keys_file.\n"
        f'map $http_authorization $stoker_named {{\n    default "";\n{names}}}\n'
        f'map $http_authorization $stoker_exact {{\n    default "";\n{exact}}}\n'
    )
