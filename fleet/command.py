"""What a command of `stoker` is."""

import argparse
from collections.abc import Callable

import msgspec

from agent.errors import StokerError


class WrongUseError(StokerError):
    """The command was used wrongly (exit code 2); the text says what would be right."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command. `run` returns the exit code, or raises `StokerError`: one sentence, code 1."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
