"""A place in the run that all hosts pass together: what is before it has been done everywhere."""

from collections.abc import Collection, Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation


@operation()
def turn(hosts: Collection[str]) -> Generator[StringCommand]:
    """Wait for the batches before this one: pyinfra orders only what hosts have in common."""
    host.noop(f"now it is the turn of {', '.join(hosts)}")
    return
    yield
