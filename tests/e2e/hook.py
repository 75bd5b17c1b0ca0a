"""A receiver of webhooks, as an operator would write one: it checks signatures and keeps events."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agent.webhook_signature import verify


class Hook:
    """`events` are those with a good signature, as they came; `forged` counts the others."""

    def __init__(self, port: int, secret: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self.forged = 0
        self._secret = secret.read_bytes().strip()
        handler = type("Handler", (_Handler,), {"hook": self})
        self._server = ThreadingHTTPServer(("", port), handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, timestamp: str, signature: str, body: bytes) -> int:
        """Return the HTTP status for one request."""
        if not verify(self._secret, timestamp, body, signature, time.time()):
            self.forged += 1
            return 403
        self.events.append(json.loads(body))
        return 204


class _Handler(BaseHTTPRequestHandler):
    hook: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = self.headers
        self.send_response(self.hook.take(head["Stoker-Timestamp"], head["Stoker-Signature"], body))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the test tells what came."""
