"""``text-generation-router``: warms the shards up, then opens the port and serves."""

import asyncio
import ipaddress
import os
import signal
import socket
import sys
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from ...board import RUN_DIR_ENV
from ...logs import Log
from ...process import rename_self
from ...settings import load_settings
from ...shard_client import ShardClient, ShardError, Shards
from .assembly import NotEnoughMemoryError, assemble, token_limits
from .info import ROUTES
from .site import SITE, Site, api_key, errors_as_bodies

_FOR_EVER = 86400.0  # seconds; the launcher's patience is what ends a drain


class _StartError(Exception):
    """The router ends with code 1 and this text on stderr."""


def main(argv: list[str]) -> int:
    """Run the router; gives its exit code."""
    rename_self("text-generation-router")
    args = _arguments(argv)
    log = Log("text_generation_router_v3", as_json=args.json_output, flat=True)
    try:
        asyncio.run(_run(args, log))
    except _StartError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _arguments(argv: list[str]) -> Namespace:
    parser = ArgumentParser(prog="text-generation-router")
    for name in ("tokenizer-name", "master-shard-uds-path", "hostname"):
        parser.add_argument(f"--{name}", required=True)
    for name in (
        "max-client-batch-size",
        "max-concurrent-requests",
        "max-best-of",
        "max-stop-sequences",
        "max-top-n-tokens",
        "validation-workers",
        "payload-limit",
        "port",
        "prometheus-port",
    ):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("max-input-tokens", "max-total-tokens", "max-batch-size"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--api-key")
    parser.add_argument("--json-output", action="store_true")
    parser.add_argument("--disable-grammar-support", action="store_true")
    return parser.parse_known_args(argv)[0]


async def _run(args: Namespace, log: Log) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings = load_settings(args.tokenizer_name, os.environ)
    shards = await _connect(args.master_shard_uds_path)
    log.info("Warming up model")
    try:
        warm = await shards.call("warmup", max_total_tokens=args.max_total_tokens)
    except ShardError as error:
        raise _StartError(f'Backend(Warmup(Generation("{error}")))') from error
    kv_tokens = int(warm["kv_tokens"])
    try:
        limits = token_limits(args, kv_tokens)
    except NotEnoughMemoryError as error:
        log.error(str(error))
        raise _StartError(f"Backend(NotEnoughMemory({args.max_total_tokens}))") from error
    log.info(f"Setting max batch total tokens to {kv_tokens}")
    log.info("Using backend V3")
    _write_tokenizer(Path(args.tokenizer_name))
    _borrow_prometheus_port(args.prometheus_port)
    run_dir = Path(os.environ[RUN_DIR_ENV])
    site = assemble(args, settings, shards, limits, kv_tokens, run_dir, log)
    await _serve(args, site, stop, log)


async def _connect(master_path: str) -> Shards:
    # The real router asks shard 0 where the others are; their sockets differ by the rank only.
    prefix = master_path.removesuffix("-0")
    clients: list[ShardClient] = []
    with suppress(FileNotFoundError, ConnectionRefusedError):
        while True:
            clients.append(await ShardClient.connect(f"{prefix}-{len(clients)}"))
    return Shards(clients)


def _write_tokenizer(model: Path) -> None:
    """The real router saves the tokenizer under its working directory, and needs to."""
    try:
        Path("out").mkdir(exist_ok=True)
        Path("out/tokenizer.json").write_bytes((model / "tokenizer.json").read_bytes())
    except OSError as error:
        raise _StartError(f"Unable to load tokenizer: {error}") from error


def _borrow_prometheus_port(port: int) -> None:
    """Bound while the recorder is built, then released; it must be free all the same."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            raise _StartError(
                "failed to build prometheus recorder: "
                f'FailedToCreateHTTPListener("{error.strerror}")'
            ) from error


async def _serve(args: Namespace, site: Site, stop: asyncio.Event, log: Log) -> None:
    app = web.Application(
        middlewares=[errors_as_bodies, api_key], client_max_size=args.payload_limit
    )
    app[SITE] = site
    for method, path, handler in ROUTES:
        app.router.add_route(method, path, handler)
    app.on_response_prepare.append(_without_server_header)
    runner = web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=_FOR_EVER
    )
    await runner.setup()
    loop = asyncio.create_task(site.scheduler.run())
    log.info("Connected")
    try:
        await web.TCPSite(runner, _address(args.hostname, log), args.port).start()
    except OSError as error:
        raise _StartError(f'Backend(Webserver("{error.strerror}"))') from error
    await stop.wait()
    # Closes the listener and idle connections now, and the rest when their requests have ended.
    await runner.cleanup()
    loop.cancel()
    with suppress(asyncio.CancelledError):
        await loop


def _address(hostname: str, log: Log) -> str:
    try:
        return str(ipaddress.ip_address(hostname))
    except ValueError:
        log.warn("Invalid hostname, defaulting to 0.0.0.0")
        return "0.0.0.0"


async def _without_server_header(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall("Server", None)
