"""``vllm-api``: the API server; starts the engine core, serves, and ends in vLLM's ways.

The port refuses connections until the engine core is ready.
"""

import asyncio
import os
import signal
from argparse import Namespace
from pathlib import Path

from aiohttp import web

from ...board import RUN_DIR_ENV, Board
from ...ledger import Ledger
from ...process import rename_self
from ...serving.front import FRONT, Front, Policy
from ...serving.minder import die_with_minder
from ...serving.openai import RefusedError
from ...serving.ranks import RankFailedError, Ranks
from ...serving.stepper import Shape, Stepper
from ...settings import Settings, load_settings
from . import config
from .arguments import parse
from .books import Books
from .config import ConfigError
from .ending import Ending
from .log import Log
from .routes import SERVER, Server, application, key_of

_DIED = "EngineCore encountered an issue. See stack trace (above) for the root cause."
_FULL = "The engine is currently busy and cannot accept more requests. Please try again later."


def main(argv: list[str]) -> int:
    """Run the API server; gives its exit code."""
    die_with_minder()
    rename_self("vllm")
    log = Log("APIServer")
    args = parse(argv)
    log.say("api_server.py:1938", "vLLM API server version 0.33.0")
    try:
        model = config.read(args)
        length = config.max_model_len(args, model)
        return asyncio.run(_run(args, length, log))
    except ConfigError as error:
        log.plain(f"Traceback (most recent call last):\n{error}")
    except RankFailedError:
        log.plain(
            "Traceback (most recent call last):\nRuntimeError: Engine core initialization failed. "
            "See root cause above. Failed core proc(s): {}"
        )
    except OSError as error:
        log.plain(f"Traceback (most recent call last):\nOSError: {error}")
    return 1


async def _run(args: Namespace, length: int, log: Log) -> int:
    settings = load_settings(args.model, os.environ)
    run_dir = Path(os.environ[RUN_DIR_ENV])
    ranks = _start(args, length, run_dir, log)
    try:
        await ranks.connect()
        books = _books(args, settings)
        front = _front(args, length, settings, run_dir, ranks, books)
        app = application()
        app[FRONT] = front
        app[SERVER] = Server(books, args.model, args.enable_server_load_tracking, key_of(args))
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0)
        await runner.setup()
        ending = Ending(front, ranks, app[SERVER], log, args.shutdown_timeout)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ending.stop)
        stepping = asyncio.create_task(front.stepper.run())
        await web.TCPSite(runner, args.host or "0.0.0.0", args.port).start()
        ranks.say("serving")
        log.say("api_server.py:580", f"Starting vLLM server on http://{args.host}:{args.port}")
        log.plain("INFO:     Application startup complete.")
        await ending.wait()
        stepping.cancel()
        await runner.cleanup()
        log.plain("INFO:     Application shutdown complete.")
    finally:
        ranks.end()
    return 0


def _start(args: Namespace, length: int, run_dir: Path, log: Log) -> Ranks:
    world = args.tensor_parallel_size
    os.environ["WORLD_SIZE"] = str(world)
    names = ["VLLM::EngineCore"]
    if world > 1:
        names = [*(f"VLLM::Worker_TP{rank}" for rank in range(world)), *names]
    commands = [["vllm-core", args.model, str(length), name] for name in names]
    ranks = Ranks(commands, run_dir, lambda line: print(line, flush=True))
    if world > 1:
        ranks.deadline = float(os.environ.get("VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS", "300"))
        ranks.on_deadline = lambda _: log.fail(
            "core.py:1198", "TimeoutError: RPC call to execute_model timed out."
        )
    return ranks


def _books(args: Namespace, settings: Settings) -> Books:
    created = os.environ.get("PROMETHEUS_DISABLE_CREATED_SERIES", "").lower() != "true"
    return Books(args.names[0], settings.kv_tokens, created=created)


def _front(
    args: Namespace, length: int, settings: Settings, run_dir: Path, ranks: Ranks, books: Books
) -> Front:
    board = Board(run_dir)
    shape = Shape(args.max_num_seqs, args.max_num_batched_tokens, mixed=True)
    full = RefusedError(503, _FULL, "ServiceUnavailableError")
    return Front(
        policy=Policy(args.names, length, full, _DIED),
        stepper=Stepper(ranks, board, settings, shape, books.step),
        board=board,
        ledger=Ledger(run_dir),
        books=books,
        limit=args.max_num_queued_reqs,
    )
