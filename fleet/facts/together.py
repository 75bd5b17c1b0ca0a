"""Many looks at a host in one command: each in a shell of its own, one after the other. Pure."""

import shlex
from collections.abc import Sequence

# A look reads nothing, and ends neither the others nor, by `set -e` or `exit`, this script.
_ASK = "ask() {{ (eval \"$1\") </dev/null; printf '\\n%s %s\\n' {mark} $?; }}"


def script(commands: Sequence[str], mark: str) -> str:
    """Return a script for `sh` that runs `commands`; `mark` is a word that none of them prints."""
    asked = (f"ask {shlex.quote(command)}" for command in commands)
    return "\n".join([_ASK.format(mark=shlex.quote(mark)), *asked, ""])


def apart(lines: Sequence[str], mark: str) -> list[list[str] | None]:
    """Return what each command printed, in order; None = it failed. Those not reached are missing.

    The mark begins a line of its own, so an empty line before it is the end of the command's last.
    """
    found: list[list[str] | None] = []
    current: list[str] = []
    for line in lines:
        word, _, code = line.partition(" ")
        if word != mark:
            current.append(line)
            continue
        if current[-1:] == [""]:
            current.pop()
        found.append(current if code == "0" else None)
        current = []
    return found
