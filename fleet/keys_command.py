"""`stoker keys`: make a key, list the clients, check the file. No command ever shows a key again.

Exit codes: 0 done, or the file is right · 1 it is not · 2 wrong use.
"""

import argparse
import re
import secrets
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import SpecError, StokerError
from fleet import keys
from fleet.command import Command, WrongUseError

INVENTORY = "inventory/prod.py"
PREFIX = "sk-"  # as clients and scanners for leaked keys know it


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    commands = parser.add_subparsers(dest="keys", required=True, metavar="COMMAND")
    new = commands.add_parser("new", help="append a fresh key to the file, and print it once")
    new.add_argument("client", metavar="NAME", help="the client; one that is there gets a second")
    new.add_argument("--expires", metavar="DAY", help="its last day, UTC, such as 2026-12-31")
    new.add_argument("--requests-per-second", metavar="N", help="instead of the gateway's setting")
    new.add_argument(
        "--burst", metavar="N", help="requests above that rate that go through at once"
    )
    new.add_argument("--concurrent", metavar="N", help="requests in flight")
    shown = commands.add_parser("list", help="the clients, their limits and last days")
    for command in (new, shown):
        command.add_argument("--file", type=Path, help="keys file (default: gateway_keys_file)")
        command.add_argument("--inventory", default=INVENTORY, help="default: %(default)s")
    check = commands.add_parser("check", help="say what is wrong with a keys file")
    check.add_argument("file", type=Path, metavar="FILE")


def run(options: argparse.Namespace) -> int:
    """Run one of the three."""
    path: Path = options.file or _of_inventory(Path(options.inventory))
    if options.keys == "new":
        return _new(path, options)
    found = _parsed(path, _text(path))
    if options.keys == "list":
        print(listing(found), end="")
    else:
        _usable(path, found)
        if path.stat().st_mode & stat.S_IRWXO:
            raise StokerError(f"{path}: others may read this secret; chmod 600 it")
        print(f"{path}: {len(found)} keys of {len({key.name for key in found})} clients, all right")
    return 0


def listing(found: list[keys.ApiKey]) -> str:
    """Return a table of all keys without any of them."""
    today = datetime.now(UTC).date()
    rows: list[tuple[str, ...]] = [
        ("NAME", "STATE", "EXPIRES", "REQUESTS/S", "BURST", "CONCURRENT")
    ]
    for key in found:
        state = "good" if key.usable(today) else "disabled" if key.disabled else "expired"
        own = (key.expires, *(getattr(key.limits, option) for option in keys.OPTIONS[1:]))
        rows.append((key.name, state, *("-" if one is None else str(one) for one in own)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _new(path: Path, options: argparse.Namespace) -> int:
    secret = PREFIX + secrets.token_urlsafe(32)
    said = {option: getattr(options, option) for option in keys.OPTIONS}
    words = [options.client, secret, *(f"{o}={v}" for o, v in said.items() if v is not None)]
    line = " ".join(words)
    if re.search(r"[\s#]", "".join([options.client, *(v or "" for v in said.values())])):
        raise WrongUseError("a name and a value hold neither a space nor a '#'")
    try:
        keys.parse(line)
    except keys.KeysError as error:
        raise WrongUseError(str(error).removeprefix("line 1: ")) from error
    text = _text(path) if path.exists() else ""
    text += "\n" if text and not text.endswith("\n") else ""
    _usable(path, _parsed(path, text + line))
    _replace(path, f"{text}{line}\n")
    print(f"added to {path}; a deploy makes it good. It is not shown again:", file=sys.stderr)
    print(secret)
    return 0


def _replace(path: Path, text: str) -> None:
    """Put a file in the place of another at once; only its owner can read it from its first byte.

    A link is followed: secrets are often links into a mounted directory.
    """
    target = path.resolve()
    new = target.with_name(f"{target.name}.stoker-new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_text(text)
    new.replace(target)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise StokerError(f"{path}: {reason}") from error


def _parsed(path: Path, text: str) -> list[keys.ApiKey]:
    try:
        return keys.parse(text)
    except keys.KeysError as error:
        raise StokerError(f"{path}: {error}") from error


def _usable(path: Path, found: list[keys.ApiKey]) -> None:
    try:
        keys.usable(found, datetime.now(UTC).date())
    except keys.KeysError as error:
        raise StokerError(f"{path}: {error}") from error


def _of_inventory(inventory: Path) -> Path:
    from fleet.models.command import read  # noqa: PLC0415 - it takes gevent with it

    found = {spec.gateway.keys_file for spec in read(inventory)} - {""}
    if len(found) != 1:
        names = ", ".join(sorted(found)) or "no host has a gateway_keys_file"
        raise SpecError(f"{inventory}: name one with --file: {names}")
    return Path(found.pop())


COMMAND = Command(
    name="keys",
    help="keys of the gateway's clients: new, list, check",
    arguments=arguments,
    run=run,
)
