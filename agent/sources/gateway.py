"""The gateway: what its nginx tells of each request, and until when its certificate is good.

nginx sends datagrams without waiting for anybody: what finds no room is lost, and no request is
ever held up. We take them in handfuls, with a pause in between, so that a busy gateway costs a
bounded share of a core; the kernel keeps some hundred of them meanwhile.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Mapping
from pathlib import Path

from agent.certificate import Validity, validity
from agent.gateway_books import Books, Ends
from agent.model import Value

log = logging.getLogger("stoker.gateway")

AT_ONCE = 256  # datagrams
PAUSE = 0.1  # seconds
LONGEST = 8192  # bytes; nginx cuts at 2048
WRITABLE = 0o622  # the workers of nginx are another user's


class GatewayReading(Value, frozen=True, kw_only=True):
    """`problem`: why there is no certificate; `deaf`: why nginx cannot tell us anything.

    `recent` are the ends of streams by engine, of the latest five minutes; `requests` all since the
    agent began.
    """

    certificate: Validity | None = None
    problem: str = ""
    deaf: str = ""
    requests: int = 0
    recent: Mapping[str, Ends] = {}


class GatewaySource:
    """Listens from `start` to `close`; reads the certificate's file whenever that has changed."""

    def __init__(self, path: Path, certificate: Path, books: Books) -> None:
        self._path, self._certificate, self._books = path, certificate, books
        self._socket: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._deaf = "not begun"
        self._seen: tuple[int, int] | None = None
        self._known: Validity | str = ""

    def start(self) -> None:
        """Listen from now on, also where another process left its socket."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._path.unlink(missing_ok=True)
            made.bind(str(self._path))
            self._path.chmod(WRITABLE)
        except OSError as error:
            made.close()
            self._deaf = f"{self._path}: {error.strerror}"
            log.warning("requests are not counted: %s", self._deaf)
            return
        self._socket, self._deaf = made, ""
        self._listen()

    def close(self) -> None:
        """Stop listening; nginx finds nobody, and goes on."""
        if self._pause is not None:
            self._pause.cancel()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            with contextlib.suppress(OSError):
                self._path.unlink()

    async def read(self) -> GatewayReading:
        """Return what is known now."""
        known = self._look()
        return GatewayReading(
            certificate=known if isinstance(known, Validity) else None,
            problem=known if isinstance(known, str) else "",
            deaf=self._deaf,
            requests=self._books.requests,
            recent=self._books.recent(),
        )

    def _listen(self) -> None:
        assert self._socket
        asyncio.get_running_loop().add_reader(self._socket, self._drain)

    def _drain(self) -> None:
        """Take what is there, and leave the rest for later."""
        assert self._socket
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError):
            for _ in range(AT_ONCE):
                self._books.take(self._socket.recv(LONGEST))
        loop.remove_reader(self._socket)
        self._pause = loop.call_later(PAUSE, self._listen)

    def _look(self) -> Validity | str:
        """Return the certificate's validity, or why there is none; the file is small, and local."""
        try:
            state = self._certificate.stat()
            if (mark := (state.st_mtime_ns, state.st_ino)) != self._seen:
                self._known, self._seen = validity(self._certificate.read_bytes()), mark
        except OSError as error:
            self._known, self._seen = f"{self._certificate}: {error.strerror}", None
        except ValueError as error:
            self._known, self._seen = f"{self._certificate} {error}", None
        return self._known
