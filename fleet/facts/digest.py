"""What lies there, and what the running program says it was started with: one command."""

from msgspec import Struct
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override


class Digests(Struct, frozen=True):
    """`lies` is the SHA-256 of all files after each other; `runs` the text of the stamp."""

    lies: str = ""
    runs: str = ""

    @property
    def equal(self) -> bool:
        """Tell whether what runs was started with what lies there."""
        return bool(self.lies) and self.lies in self.runs


class StartedWith(FactBase[Digests]):
    """Compares `files` with the `stamp` that the program left when it started."""

    @override
    @staticmethod
    def default() -> Digests:
        return Digests()

    @override
    def command(self, files: list[str], stamp: str) -> StringCommand:
        return StringCommand(
            "cat", *map(QuoteString, files), "2>/dev/null | sha256sum | cut -c1-64; cat",
            QuoteString(stamp), "2>/dev/null || true",
        )  # fmt: skip

    @override
    def process(self, output: list[str]) -> Digests:
        return Digests(output[0], "\n".join(output[1:]))
