"""How a program reads its command line, and what Stoker thinks of its flags and variables."""

from collections.abc import Mapping
from typing import NamedTuple

from agent.engines.flags import Flag

# `docker inspect` shows a command line to every operator, and `ps` shows it to every user.
NEVER_IN_ARGV = "a secret must not stand in a command line; the gateway checks the clients' keys"
ONE_HOST = "an engine lives on one host"
TLS = "the gateway speaks TLS; the engine listens on loopback"
# What is wrong with every program.
WRONG = {
    "--api-key": NEVER_IN_ARGV,
    "--help": "it prints the flags, and nothing is served",
    "-h": "it prints the flags, and nothing is served",
    "--version": "it prints the version, and nothing is served",
}
VARIABLES = {
    "CUDA_VISIBLE_DEVICES": "is set by Stoker from engine_gpus",
    "NVIDIA_VISIBLE_DEVICES": "is set by Stoker from engine_gpus",
}


class Program(NamedTuple):
    """How a program reads its command line, and what Stoker thinks of its flags.

    `owned` maps a flag that the adapter sets to what governs it, `wrong` a well-known mistake to
    what would be right, `variables` a variable to what is wrong with it. `abbreviates`: the
    beginning of a flag counts as the flag. `loose`: `--a_b` and `--a-b.key` count as `--a-b`.
    """

    title: str
    flags: Mapping[str, Flag]
    owned: Mapping[str, str]
    wrong: Mapping[str, str]
    variables: Mapping[str, str] = VARIABLES
    abbreviates: bool = True
    loose: bool = False

    def verdict(self, flag: str) -> str | None:
        """Say why a known flag must not be given; None when it may."""
        main = self.flags[flag].name if flag in self.flags else flag
        if wrong := self.wrong.get(flag) or self.wrong.get(main):
            return wrong
        return f"is set by Stoker from {self.owned[main]}" if main in self.owned else None
