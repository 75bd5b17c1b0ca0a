"""Run the hub: ``python -m tests.sandbox.hub --root DIR --token-file FILE [--cert C --key K]``."""

from __future__ import annotations

import argparse
import ssl
from pathlib import Path

from aiohttp import web

from .access import Tokens
from .app import Hub


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hub", description="A Hub endpoint for the sandbox.")
    parser.add_argument("--root", type=Path, required=True, help="holds <org>/<name>/ directories")
    parser.add_argument("--token-file", type=Path, required=True, help="a line: TOKEN [limited]")
    parser.add_argument("--cert", type=Path, help="PEM chain; without it the hub speaks plain HTTP")
    parser.add_argument("--key", type=Path, help="PEM private key of --cert")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8443)
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    tls = None
    if arguments.cert:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(arguments.cert, arguments.key)
    hub = Hub(arguments.root, Tokens.load(arguments.token_file))
    web.run_app(hub.app(), host=arguments.host, port=arguments.port, ssl_context=tls)


main()
