"""Which programs the simulator can be: one line a program, its module imported when it runs."""

from collections.abc import Callable
from importlib import import_module

Main = Callable[[list[str]], int]

DEFAULT_PROGRAM = "text-generation-launcher"

PROGRAMS = {
    "text-generation-launcher": "tgi.launcher",
    "text-generation-server": "tgi.server",
    "text-generation-router": "tgi.router",
    "vllm": "vllm.command",
    "vllm-api": "vllm.api",
    "vllm-core": "vllm.core",
    "sglang": "sglang.command",
    "sglang-api": "sglang.api",
    "sglang-scheduler": "sglang.scheduler",
}


def program(name: str) -> Main | None:
    """The ``main`` of a program, or None when no dialect has one of that name."""
    if name not in PROGRAMS:
        return None
    module = import_module(f".{PROGRAMS[name]}", __name__)
    run: Main = module.main
    return run
