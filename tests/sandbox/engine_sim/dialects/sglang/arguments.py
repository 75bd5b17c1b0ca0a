"""`sglang serve`'s command line, and that of `python3 -m sglang.launch_server`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from ...serving.flags import add_flags, dashed

SERVE, LAUNCH = "serve", "launch_server"


def parse(argv: Sequence[str]) -> Namespace:
    """Read the command line, `serve` or `launch_server` first; SystemExit 2 for a bad one."""
    command, *rest = argv or [""]
    if command not in {SERVE, LAUNCH}:
        parser = ArgumentParser(prog="sglang")
        parser.add_argument("subcommand", choices=[SERVE, "generate", "version"])
        parser.parse_args(argv)
    parser = ArgumentParser(prog="sglang serve" if command == SERVE else "launch_server.py")
    if command == SERVE:
        parser.add_argument("model_tag", nargs="?")
    add_flags(parser, __package__)
    args = parser.parse_args(dashed(rest))
    args.model_path = args.model_path or getattr(args, "model_tag", None)
    if args.model_path is None:
        parser.error("the following arguments are required: --model-path/--model")
    args.name = args.served_model_name or args.model_path
    return args
