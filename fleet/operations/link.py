"""A symbolic link, and a path that must not be there."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.drift.manifest import Directory, Link
from fleet import manifest
from fleet.facts.paths import PathStates
from fleet.operations.file import out_of_the_way


@operation()
def link(path: str, target: str) -> Generator[StringCommand]:
    """Make `path` a link to `target`."""
    manifest.of(host).links[path] = Link(target=target)
    found = host.get_fact(PathStates, paths=[path]).get(path)
    if found == Link(target=target):
        host.noop(f"{path} leads to {target}")
        return
    aside = [*out_of_the_way(path), "&&"] if isinstance(found, Directory) else []
    yield StringCommand(*aside, "ln -sfnT", QuoteString(target), QuoteString(path))


@operation()
def absent(path: str) -> Generator[StringCommand]:
    """Remove the file or link at `path`."""
    if path not in host.get_fact(PathStates, paths=[path]):
        host.noop(f"{path} is not there")
        return
    yield StringCommand("rm -f", QuoteString(path))
