"""The launcher's usage errors, worded as its argument parser (clap) words them; exit code 2."""

from collections.abc import Iterable
from difflib import get_close_matches

_PROGRAM = "text-generation-launcher"


class UsageError(Exception):
    """The command line cannot be read; ``str()`` is the whole message for stderr."""


def unexpected_argument(argument: str, known: Iterable[str]) -> UsageError:
    """A flag that does not exist, with the nearest one that does."""
    near = get_close_matches(argument, list(known), n=1, cutoff=0.8)
    tip = f"\n  tip: a similar argument exists: '{near[0]}'\n" if near else ""
    return UsageError(
        f"error: unexpected argument '{argument}' found\n{tip}\n"
        f"Usage: {_PROGRAM} [OPTIONS]\n\nFor more information, try '--help'."
    )


def invalid_value(flag: str, value: str, why: str) -> UsageError:
    """A value of the wrong type or range."""
    return UsageError(
        f"error: invalid value '{value}' for '{_placeholder(flag)}': {why}\n\n"
        "For more information, try '--help'."
    )


def not_a_choice(flag: str, value: str, choices: Iterable[str]) -> UsageError:
    """A value outside an enumeration."""
    return UsageError(
        f"error: invalid value '{value}' for '{_placeholder(flag)}'\n"
        f"  [possible values: {', '.join(choices)}]\n\nFor more information, try '--help'."
    )


def value_missing(flag: str) -> UsageError:
    """A flag at the end of the line that wants a value."""
    return UsageError(
        f"error: a value is required for '{_placeholder(flag)}' but none was supplied\n\n"
        "For more information, try '--help'."
    )


def given_twice(flag: str) -> UsageError:
    """A flag that may stand only once."""
    return UsageError(
        f"error: the argument '{_placeholder(flag)}' cannot be used multiple times\n\n"
        f"Usage: {_PROGRAM} [OPTIONS]\n\nFor more information, try '--help'."
    )


def _placeholder(flag: str) -> str:
    return f"{flag} <{flag.removeprefix('--').replace('-', '_').upper()}>"
