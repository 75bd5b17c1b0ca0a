"""`vllm serve`'s command line."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from ...serving.flags import add_flags, dashed
from . import VERSION


def parse(argv: Sequence[str]) -> Namespace:
    """Read the command line; SystemExit 2 with argparse's message, or 0 for --version."""
    parser = ArgumentParser(prog="vllm")
    parser.add_argument("-v", "--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="subparser", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("model_tag", nargs="?")
    add_flags(serve, __package__)
    args = parser.parse_args(dashed(argv))
    args.model = args.model_tag or args.model or "Qwen/Qwen3-0.6B"
    args.names = tuple(args.served_model_name or [args.model])
    return args
