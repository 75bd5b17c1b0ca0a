"""The orders of ``POST /fault``: one function a kind.

==================  ===========================================================================
crash               the router dies; ``signal`` (9)
shard_crash         a shard dies; ``rank`` (0), ``class``: killed (default), oom, cuda, nccl, sigbus
router_loop_dead    the batching task dies: /health stays 200, every request hangs. vLLM, SGLang:
                    the engine's loop stands still until ``clear``
shard_stuck         shards stop where they are, as in a driver call that never returns; ``rank``
                    (all). TGI: /health hangs. SGLang: /health says 503 late. vLLM: /health says 200
api_stuck           the HTTP process stops where it is: connections open, nothing answers
long_prefill        no fault: the next request takes ``tokens`` (131072) of prefill in ``seconds``
                    (60), in chunks, with no token meanwhile (TGI: none but the first)
slow                ``tokens_per_second``
overload            every request finds the engine full
oom_next_request    the next prefill runs out of GPU memory, which ends the engine
error_next_request  the next prefill fails; the engine lives on
exit_code           the whole engine ends at once with ``code``
clear               back to health, where that is possible: what is dead stays dead
==================  ===========================================================================
"""

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from .board import Board
from .engine import Engine

SHARD_CRASHES = ("killed", "oom", "cuda", "nccl", "sigbus")

Order = Mapping[str, Any]


class FaultOrderError(Exception):
    """An order that cannot be carried out; the message says what would be right."""


def carry_out(order: object, engine: Engine, board: Board) -> dict[str, Any]:
    """Carry out one order; gives the faults then in force."""
    if not isinstance(order, dict) or order.get("kind") not in KINDS:
        raise FaultOrderError(f"kind: one of {', '.join(KINDS)}")
    try:
        KINDS[order["kind"]](order, engine, board)
    except LookupError as error:
        raise FaultOrderError(f"{order['kind']}: {error}") from error
    return asdict(board.read())


def _crash(order: Order, engine: Engine, _board: Board) -> None:
    engine.signal_router(signal.Signals(_whole(order, "signal", signal.SIGKILL)))


def _shard_crash(order: Order, engine: Engine, board: Board) -> None:
    how = order.get("class", "killed")
    if how not in SHARD_CRASHES:
        raise FaultOrderError(f"class: one of {', '.join(SHARD_CRASHES)}")
    rank = _whole(order, "rank", 0)
    if rank not in engine.shard_ranks():
        raise FaultOrderError(f"rank: one of {engine.shard_ranks()}")
    board.change(shard_crash=how, shard_crash_rank=rank)


def _router_loop_dead(_order: Order, _engine: Engine, board: Board) -> None:
    board.change(router_loop_dead=True)


def _shard_stuck(order: Order, engine: Engine, _board: Board) -> None:
    # Stopped, a process behaves like one inside a CUDA call: it takes SIGKILL but no SIGTERM.
    ranks = [_whole(order, "rank", 0)] if "rank" in order else engine.shard_ranks()
    for rank in ranks:
        engine.signal_shard(rank, signal.SIGSTOP)


def _api_stuck(_order: Order, engine: Engine, _board: Board) -> None:
    engine.signal_router(signal.SIGSTOP)


def _long_prefill(order: Order, _engine: Engine, board: Board) -> None:
    tokens, seconds = order.get("tokens", 131072), order.get("seconds", 60.0)
    if not isinstance(tokens, int) or tokens < 1:
        raise FaultOrderError("tokens: a whole number greater than 0")
    if not isinstance(seconds, int | float) or seconds <= 0:
        raise FaultOrderError("seconds: a number greater than 0")
    board.change(
        long_prefill_tokens=tokens,
        long_prefill_seconds=float(seconds),
        long_prefill_order=board.read().serial + 1,
    )


def _slow(order: Order, _engine: Engine, board: Board) -> None:
    rate = order.get("tokens_per_second", 1.0)
    if not isinstance(rate, int | float) or rate <= 0:
        raise FaultOrderError("tokens_per_second: a number greater than 0")
    board.change(tokens_per_second=float(rate))


def _overload(_order: Order, _engine: Engine, board: Board) -> None:
    board.change(overload=True)


def _oom_next_request(_order: Order, _engine: Engine, board: Board) -> None:
    board.change(next_request="oom")


def _error_next_request(_order: Order, _engine: Engine, board: Board) -> None:
    board.change(next_request="error")


def _exit_code(order: Order, engine: Engine, _board: Board) -> None:
    engine.end(_whole(order, "code", 1))


def _clear(_order: Order, engine: Engine, board: Board) -> None:
    board.clear()
    for rank in engine.shard_ranks():
        engine.signal_shard(rank, signal.SIGCONT)
    with suppress(LookupError):  # it has not been started
        engine.signal_router(signal.SIGCONT)


def _whole(order: Order, key: str, default: int) -> int:
    value = order.get(key, default)
    if not isinstance(value, int) or not 0 <= value <= 255:
        raise FaultOrderError(f"{key}: a whole number from 0 to 255")
    return value


KINDS: Mapping[str, Callable[[Order, Engine, Board], None]] = {
    "crash": _crash,
    "shard_crash": _shard_crash,
    "router_loop_dead": _router_loop_dead,
    "shard_stuck": _shard_stuck,
    "api_stuck": _api_stuck,
    "long_prefill": _long_prefill,
    "slow": _slow,
    "overload": _overload,
    "oom_next_request": _oom_next_request,
    "error_next_request": _error_next_request,
    "exit_code": _exit_code,
    "clear": _clear,
}
