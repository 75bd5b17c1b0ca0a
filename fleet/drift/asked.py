"""What a check for drift needs of the deploy: its operations, asked and carried out."""

from collections.abc import Collection, Iterable
from typing import Protocol

import msgspec

from agent.drift.report import Finding


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One operation, by its key; `first` is the first command it would send, None = no change."""

    key: str
    stage: str
    name: str
    first: str | None


class Deployed(Protocol):
    """What a check needs of the deploy. `tests/fleet/drift/` has the fake."""

    def ask(self) -> tuple[Asked, ...]:
        """Ask every operation, in order; raise `SourceError` when one cannot look."""

    def broken(self) -> Iterable[Finding]:
        """Look whether the release is as it was laid; when not, nothing else is worth asking."""

    def strange(self) -> Iterable[Finding]:
        """Look at what no operation puts right; after `ask`."""

    def run(self, keys: Collection[str], *, again: bool) -> dict[str, str]:
        """Carry out these operations, in order; return what failed, by key, with the last words.

        `again`: all are tried once more if one fails.
        """
