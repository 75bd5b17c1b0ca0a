"""``text-generation-server``: the Python side; ``download-weights`` and ``serve`` (one shard)."""

import os
from argparse import ArgumentParser, Namespace

from . import download, shard


def main(argv: list[str]) -> int:
    """Run the command the launcher asked for."""
    args = _arguments(argv)
    if args.command == "download-weights":
        return download.run(args.model_id, os.environ)
    return shard.run(args.model_id, args.uds_path, args.quantize, os.environ)


def _arguments(argv: list[str]) -> Namespace:
    parser = ArgumentParser(prog="text-generation-server")
    parser.add_argument("command", choices=["download-weights", "serve"])
    parser.add_argument("model_id")
    parser.add_argument("--uds-path", default="/tmp/text-generation-server")
    parser.add_argument("--quantize")
    # The launcher passes many more; nothing here depends on them.
    return parser.parse_known_args(argv)[0]
