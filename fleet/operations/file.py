"""A file with a content, a mode and an owner: written beside, checked, and moved into place."""

import time
from collections.abc import Generator
from hashlib import sha256

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.drift.manifest import Directory, File
from fleet import manifest
from fleet.facts.paths import PathStates


@operation()
def file(
    path: str, content: str, mode: str = "644", owner: str = "root:root", check: str = ""
) -> Generator[StringCommand]:
    """Make `path` hold `content`, which must end in a newline.

    `check` is a command that gets the path of the new file and refuses it by failing; the old
    file then stays. The content travels on stdin: it is in no argument, log or temporary file.
    """
    yield from place(path, content, mode, owner, check)


def out_of_the_way(path: str) -> tuple[str | QuoteString, ...]:
    """Return the words of a command that moves what lies at `path` aside."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return ("mv -T", QuoteString(path), QuoteString(f"{path}.found-{stamp}"))


def place(
    path: str, content: str, mode: str, owner: str, check: str = ""
) -> Generator[StringCommand]:
    """Yield what `file` and `secret_file` have in common."""
    user, group = owner.split(":")
    digest = sha256(content.encode()).hexdigest()
    wanted = File(sha256=digest, mode=mode, user=user, group=group)
    manifest.of(host).files[path] = wanted
    found = host.get_fact(PathStates, paths=[path]).get(path)
    if found == wanted:
        host.noop(f"{path} is as wanted")
        return
    target, new = QuoteString(path), QuoteString(f"{path}.stoker-new")
    tested = [f"{check}", new, "&&"] if check else []
    # A directory in its place is somebody's: it is moved aside, for a file cannot replace it.
    aside = [*out_of_the_way(path), "&&"] if isinstance(found, Directory) else []
    rights = ["chown", owner, new, "&& chmod", mode, new, "&&"]
    yield StringCommand(
        "umask 077 && cat >", new, "&&", *rights, *tested, *aside, "mv -fT", new, target,
        "|| { rm -f", new, "; exit 1; }",
        _stdin=content,
    )  # fmt: skip
