"""Put the router together: limits from flags, model and warmup; then the parts that serve."""

import os
from argparse import Namespace
from pathlib import Path

from ...board import Board
from ...ledger import Ledger
from ...logs import Log
from ...metrics import Metrics
from ...model_dir import read_model
from ...scheduler import Scheduler
from ...settings import Settings
from ...shard_client import Shards
from . import VERSION
from .infer import Infer
from .names import buckets
from .observer import BatchMetrics
from .site import Site
from .validation import Limits


class NotEnoughMemoryError(Exception):
    """A request of the allowed length would not fit the KV cache."""


def token_limits(args: Namespace, kv_tokens: int) -> Limits:
    """The limits on one request; unset ones come from the warmup and the model."""
    model = read_model(Path(args.tokenizer_name))
    total = args.max_total_tokens
    if total is None:
        known = (kv_tokens, model.tokenizer_max_length, model.max_position_embeddings)
        total = int(min(limit for limit in known if limit is not None))
    if total > kv_tokens:
        raise NotEnoughMemoryError(f"Not enough memory to handle `max_total_tokens={total}`")
    return Limits(
        max_input_tokens=args.max_input_tokens or total - 1,
        max_total_tokens=total,
        max_best_of=args.max_best_of,
        max_stop_sequences=args.max_stop_sequences,
        max_top_n_tokens=args.max_top_n_tokens,
        grammar_support=not args.disable_grammar_support,
    )


def assemble(
    args: Namespace,
    settings: Settings,
    shards: Shards,
    limits: Limits,
    kv_tokens: int,
    run_dir: Path,
    log: Log,
) -> Site:
    """The parts behind the HTTP handlers."""
    metrics = Metrics(buckets(limits.max_input_tokens, limits.max_total_tokens))
    board = Board(run_dir)
    scheduler = Scheduler(
        shards,
        board,
        BatchMetrics(metrics),
        kv_tokens=kv_tokens,
        max_batch_size=args.max_batch_size,
    )
    infer = Infer(
        scheduler,
        limits,
        metrics,
        board,
        Ledger(run_dir),
        log,
        max_concurrent_requests=args.max_concurrent_requests,
    )
    return Site(
        infer=infer,
        scheduler=scheduler,
        shards=shards,
        metrics=metrics,
        settings=settings,
        info=_info(args, limits),
        has_chat_template=read_model(Path(args.tokenizer_name)).has_chat_template,
        max_client_batch_size=args.max_client_batch_size,
        api_key=args.api_key,
    )


def _info(args: Namespace, limits: Limits) -> dict[str, str | int | None]:
    return {
        "model_id": args.tokenizer_name,
        "model_sha": None,
        "model_pipeline_tag": None,
        "max_concurrent_requests": args.max_concurrent_requests,
        "max_best_of": limits.max_best_of,
        "max_stop_sequences": limits.max_stop_sequences,
        "max_input_tokens": limits.max_input_tokens,
        "max_total_tokens": limits.max_total_tokens,
        "validation_workers": args.validation_workers,
        "max_client_batch_size": args.max_client_batch_size,
        "router": "text-generation-router",
        "version": VERSION,
        "sha": "0" * 40,
        "docker_label": os.environ.get("DOCKER_LABEL", "sha-simulated"),
    }
