"""The control port: what the engine is doing, and orders to misbehave.

``GET /state``, ``GET /requests``, ``POST /fault``. It runs in a thread of the launcher, and so
answers whatever the router and the shards are doing.
"""

import json
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Thread
from typing import Any

from .board import Board
from .engine import Engine
from .fault_orders import FaultOrderError, carry_out
from .ledger import Ledger

DEFAULT_PORT = 9999


class Control:
    """The control server of one engine."""

    def __init__(
        self, address: tuple[str, int], engine: Engine, board: Board, ledger: Ledger
    ) -> None:
        """Listen at once; OSError when the port is taken."""
        handler = type("Handler", (_Handler,), {"parts": (engine, board, ledger)})
        # Not ThreadingHTTPServer: that one looks its own name up, which can take seconds.
        self._server = _Server(address, handler)
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer whoever has asked, and nobody else."""
        self._server.server_close()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False  # who orders an end gets an answer before it comes


class _Handler(BaseHTTPRequestHandler):
    parts: tuple[Engine, Board, Ledger]
    timeout = 2.0  # seconds; who connects and asks nothing does not hold up the end

    def do_GET(self) -> None:
        engine, _, ledger = self.parts
        if self.path == "/state":
            self._reply(200, engine.state())
        elif self.path == "/requests":
            self._reply(200, ledger.counts())
        else:
            self._reply(404, {"error": f"{self.path}: only /state, /requests and /fault exist"})

    def do_POST(self) -> None:
        engine, board, _ = self.parts
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            order = json.loads(body)
            self._reply(200, carry_out(order, engine, board))
        except (ValueError, FaultOrderError) as error:
            self._reply(400, {"error": str(error)})

    def _reply(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the container's log belongs to the engine."""
