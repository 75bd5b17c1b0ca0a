"""The list of what the deploy manages on this host, for the check that cron runs."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from agent.drift.manifest import File
from fleet import manifest as collected
from fleet.facts.paths import PathStates
from fleet.operations.file import place


@operation()
def manifest() -> Generator[StringCommand]:
    """Write down what the operations before this one were about."""
    found = collected.of(host)
    there = host.get_fact(PathStates, paths=sorted(found.measured)) if found.measured else {}
    found.files.update({path: it for path, it in there.items() if isinstance(it, File)})
    found.files.pop(collected.PATH, None)  # it cannot hold its own digest
    yield from place(collected.PATH, found.dump(), "644", "root:root")
