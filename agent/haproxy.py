"""`python -m agent.haproxy SOCKET FILE`: keep what HAProxy knows of its servers, for a reload.

The new process reads the file: so a host that was out does not come back for the moment until it
was asked again. Needs root, whose the socket is. Exit code 0 kept · 1 HAProxy does not answer.
"""

import socket
import sys
from pathlib import Path

SECONDS = 5.0
COMMAND = b"show servers state\n"


def ask(path: str, command: bytes = COMMAND) -> bytes:
    """Return what HAProxy answers on its socket; raise `OSError`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        connection.connect(path)
        connection.sendall(command)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def keep(path: str, file: Path) -> None:
    """Write the state of all servers to `file`; raise `OSError`."""
    said = ask(path)
    if not said.startswith(b"1\n"):  # the version of the format
        raise OSError(f"{path}: not understood: {said[:80]!r}")
    new = file.with_name(f"{file.name}.new")
    new.write_bytes(said)
    new.replace(file)


def main(arguments: list[str]) -> int:
    """Keep it, or say why not."""
    path, file = arguments
    try:
        keep(path, Path(file))
    except OSError as error:
        print(f"the state of the hosts is not kept: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
