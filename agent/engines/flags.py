"""Every flag of an engine's server, as a table that was read from its own package.

The tables are `agent/data/KIND-flags.tsv`; `tests/agent/engines/flag_tables.py` makes them.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple


class Flag(NamedTuple):
    """One flag. `spellings` are all that the parser takes for it, its name first.

    A `switch` takes no value, `maybe` one or none, `list` all that follow, the others just one.
    `env` is the variable that does the same; `choices` is empty where any value will do.
    """

    spellings: tuple[str, ...]
    env: str
    kind: str
    choices: tuple[str, ...]
    default: str

    @property
    def name(self) -> str:
        """The spelling that the program's documentation uses."""
        return self.spellings[0]


@cache
def table(engine: str) -> Mapping[str, Flag]:
    """Return the flags of an engine's server, each under all of its spellings."""
    text = resources.files("agent.data").joinpath(f"{engine}-flags.tsv").read_text()
    rows = [line.split("\t") for line in text.splitlines() if line.startswith("-")]
    flags = [
        Flag(tuple(names.split()), env, kind, tuple(choices.split()), default)
        for names, env, kind, choices, default in rows
    ]
    return MappingProxyType({spelling: flag for flag in flags for spelling in flag.spellings})
