"""Runs on a host: `python3 - ADDRESS SOURCE PORTS…`. Prints the TCP ports that answer.

PORTS are numbers and ranges; SOURCE is an address of the host to scan from ("-": any).
"""

import select
import socket
import sys
from contextlib import ExitStack

AT_ONCE = 2000
PATIENCE = 1.0  # seconds; on one network an open port answers in a thousandth


def scan(address: str, source: str | None, ports: list[int]) -> list[int]:
    """Return those of at most `AT_ONCE` ports that answer; refusing is no answer."""
    family, kind, _, _, where = socket.getaddrinfo(address, 1, type=socket.SOCK_STREAM)[0]
    poll, opening, found = select.poll(), dict[int, tuple[int, socket.socket]](), list[int]()
    with ExitStack() as stack:
        for port in ports:
            one = stack.enter_context(socket.socket(family, kind))
            one.setblocking(False)
            if source:
                one.bind((source, 0))
            one.connect_ex((where[0], port, *where[2:]))
            opening[one.fileno()] = port, one
            poll.register(one, select.POLLOUT)
        while opening and (ready := poll.poll(PATIENCE * 1000)):
            for number, _ in ready:
                port, one = opening.pop(number)
                poll.unregister(number)
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    found.append(port)
    return sorted(found)


def numbers(texts: list[str]) -> list[int]:
    """Return the ports of `22` and `1-65535`."""
    found = list[int]()
    for text in texts:
        low, _, high = text.partition("-")
        found += range(int(low), int(high or low) + 1)
    return found


if __name__ == "__main__":
    _, address, source, *ports = sys.argv
    every = numbers(ports)
    starts = range(0, len(every), AT_ONCE)
    local = None if source == "-" else source
    print(*(port for n in starts for port in scan(address, local, every[n : n + AT_ONCE])))
