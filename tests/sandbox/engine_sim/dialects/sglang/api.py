"""``sglang-api``: the HTTP server; starts the schedulers, warms up, serves, and kills itself.

The port is open while the warmup request runs; /health then says 503.
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
from ...serving.stepper import Shape, Step, Stepper
from ...serving.waiting import until
from ...settings import load_settings
from . import config
from .arguments import parse
from .books import Books
from .config import ConfigError
from .ending import SIGQUIT, Ending, kill_tree
from .health import UP, Health
from .log import Log
from .routes import SERVER, Server, application

_FULL = RefusedError(503, "The request queue is full.", "ServiceUnavailableError")


def main(argv: list[str]) -> int:
    """Run the HTTP server; gives its exit code, unless it ends by its own SIGKILL."""
    die_with_minder()
    rename_self("sglang::http_server")
    log = Log()
    args = parse(argv)
    log.say(f"server_args=ServerArgs(model_path='{args.model_path}', port={args.port})")
    try:
        return asyncio.run(_run(args, config.context_length(args), log))
    except ConfigError as error:
        print(f"Traceback (most recent call last):\n{error}", flush=True)
    except OSError as error:
        log.say(f"ERROR:    {error}")
    return 1


async def _run(args: Namespace, length: int, log: Log) -> int:
    command = ["sglang-scheduler", args.model_path, str(args.tp_size)]
    run_dir = Path(os.environ[RUN_DIR_ENV])
    ranks = Ranks([command] * args.tp_size, run_dir, lambda line: print(line, flush=True))
    try:
        await ranks.connect()
    except RankFailedError:
        log.say(SIGQUIT)
        kill_tree(ranks)
    ranks.deadline = args.watchdog_timeout
    ranks.on_deadline = lambda _: log.say(
        f"Watchdog timeout (self.watchdog_timeout={args.watchdog_timeout:.0f})"
    )
    app = _application(args, length, ranks, run_dir, log)
    front, health = app[FRONT], app[SERVER].health
    ending = Ending(front, ranks, health, log)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.stop)
    stepping = asyncio.create_task(front.stepper.run())
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, args.host, args.port).start()
    log.say(f"INFO:     Uvicorn running on http://{args.host}:{args.port} (Press CTRL+C to quit)")
    warming = asyncio.create_task(_warm_up(args, app, ranks, log))
    await ending.wait()
    stepping.cancel()
    warming.cancel()
    kill_tree(ranks)
    return 0


def _application(
    args: Namespace, length: int, ranks: Ranks, run_dir: Path, log: Log
) -> web.Application:
    settings = load_settings(args.model_path, os.environ)
    books = Books(args.name, settings.kv_tokens, args.decode_log_interval)
    health, board = Health(log), Board(run_dir)

    def observe(step: Step) -> None:
        books.step(step)
        health.heard(step)

    shape = Shape(args.max_running_requests, args.chunked_prefill_size, mixed=False)
    app = application(metrics=args.enable_metrics)
    app[SERVER] = Server(args, books, health, ranks)
    app[FRONT] = Front(
        policy=Policy((args.name,), length, _FULL, "Internal server error"),
        stepper=Stepper(ranks, board, settings, shape, observe),
        board=board,
        ledger=Ledger(run_dir),
        books=books,
        limit=args.max_queued_requests,
        limit_waiting=True,
    )
    return app


async def _warm_up(args: Namespace, app: web.Application, ranks: Ranks, log: Log) -> None:
    """The warmup request; then look after an idle scheduler's books."""
    stepper = app[FRONT].stepper
    if not args.skip_server_warmup:
        job = stepper.probe()
        await until(lambda: job.generated > 0)
    app[SERVER].health.status = UP
    ranks.say("serving")
    log.say("The server is fired up and ready to roll!")
    while True:
        await asyncio.sleep(1)
        if not stepper.jobs:
            app[SERVER].books.idle()
