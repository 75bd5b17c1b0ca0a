"""Kernel settings: what runs now, not only what the next boot reads."""

from collections.abc import Generator, Mapping

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from typing_extensions import override


class Sysctls(FactBase[dict[str, str]]):
    """Maps each of `keys` to its value now."""

    @override
    @staticmethod
    def default() -> dict[str, str]:
        return {}

    @override
    def command(self, keys: list[str]) -> StringCommand:
        return StringCommand("sysctl -e", *map(QuoteString, keys), "2>/dev/null || true")

    @override
    def process(self, output: list[str]) -> dict[str, str]:
        pairs = (line.split("=", 1) for line in output if "=" in line)
        return {key.strip(): value.strip() for key, value in pairs}


@operation()
def sysctl(wanted: Mapping[str, str]) -> Generator[StringCommand]:
    """Make the running kernel use `wanted`; a key that this kernel has not is left out."""
    now = host.get_fact(Sysctls, keys=list(wanted))
    wrong = [f"{key}={value}" for key, value in wanted.items() if now.get(key, value) != value]
    if not wrong:
        host.noop("the kernel runs with these settings")
        return
    yield StringCommand("sysctl -q -w", *map(QuoteString, wrong))
