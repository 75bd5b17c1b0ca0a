"""``vllm``: reads the command line, then starts the API server under a minder."""

import os

from ...serving.minder import mind
from ...settings import load_settings
from .arguments import parse


def main(argv: list[str]) -> int:
    """Run `vllm serve`; gives its exit code, which is 0 when the engine core dies."""
    args = parse(argv)
    settings = load_settings(args.model, os.environ)
    if settings.start == "exit":
        return settings.exit_code
    return mind(["vllm-api", *argv], os.environ)
