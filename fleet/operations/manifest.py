"""The list of what the deploy manages on this host, for the check that cron runs."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from fleet import manifest as collected
from fleet.operations.file import place


@operation()
def manifest() -> Generator[StringCommand]:
    """Write down what the operations before this one were about."""
    found = collected.of(host)
    found.files.pop(collected.PATH, None)  # it cannot hold its own digest
    yield from place(collected.PATH, found.dump(), "644", "root:root")
