"""``sglang``: reads the command line, then starts the HTTP server under a minder."""

import os

from ...serving.minder import mind
from ...settings import load_settings
from .arguments import parse


def main(argv: list[str]) -> int:
    """Run `sglang serve`; gives its exit code."""
    args = parse(argv)
    settings = load_settings(args.model_path, os.environ)
    if settings.start == "exit":
        return settings.exit_code
    return mind(["sglang-api", *argv], os.environ)
