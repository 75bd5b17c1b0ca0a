"""A symbolic link, and a path that must not be there."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.drift.manifest import Link
from fleet import manifest
from fleet.facts.paths import PathStates


@operation()
def link(path: str, target: str) -> Generator[StringCommand]:
    """Make `path` a link to `target`."""
    manifest.of(host).links[path] = Link(target=target)
    if host.get_fact(PathStates, paths=[path]).get(path) == Link(target=target):
        host.noop(f"{path} leads to {target}")
        return
    yield StringCommand("ln -sfnT", QuoteString(target), QuoteString(path))


@operation()
def absent(path: str) -> Generator[StringCommand]:
    """Remove the file or link at `path`."""
    if path not in host.get_fact(PathStates, paths=[path]):
        host.noop(f"{path} is not there")
        return
    yield StringCommand("rm -f", QuoteString(path))
