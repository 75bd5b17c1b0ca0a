"""Directories with their owners and modes: one look for all of them."""

from collections.abc import Generator, Mapping

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.drift.manifest import Directory
from fleet import manifest
from fleet.facts.paths import PathStates
from fleet.operations.file import out_of_the_way


@operation()
def directories(wanted: Mapping[str, tuple[str, str]]) -> Generator[StringCommand]:
    """Make each path of `wanted` a directory with (mode, "user:group"), parents first."""
    paths = {path: _directory(*rest) for path, rest in wanted.items()}
    manifest.of(host).directories.update(paths)
    found = host.get_fact(PathStates, paths=list(paths))
    wrong = [path for path, directory in paths.items() if found.get(path) != directory]
    if not wrong:
        host.noop("all directories are as wanted")
    for path in wrong:
        d = paths[path]
        other = path in found and not isinstance(found[path], Directory)
        aside = [*out_of_the_way(path), "&&"] if other else []
        yield StringCommand(
            *aside, "install -d -m", d.mode, "-o", d.user, "-g", d.group, QuoteString(path)
        )


def _directory(mode: str, owner: str) -> Directory:
    user, group = owner.split(":")
    return Directory(mode=mode, user=user, group=group)
