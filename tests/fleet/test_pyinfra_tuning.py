import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pyinfra
from pyinfra.api import arguments, util
from pyinfra.api.state import State

from fleet import pyinfra_tuning

STATE = cast("State", SimpleNamespace(current_deploy_filename=__file__, current_op_file_number=3))
SLOW = {
    (util, "stack"): inspect.stack,
    (util, "getframeinfo"): inspect.getframeinfo,
    (arguments, "all_global_arguments"): pyinfra_tuning._hints,
}


@contextmanager
def slow() -> Iterator[None]:
    now = {key: getattr(*key) for key in SLOW}
    for (module, name), function in SLOW.items():
        setattr(module, name, function)
    try:
        yield
    finally:
        for (module, name), function in now.items():
            setattr(module, name, function)


def order() -> list[int]:
    return cast("list[int]", util.get_operation_order_from_stack(STATE))


def both(ask: Callable[[], Any]) -> list[Any]:
    """Ask from one and the same line, slowly and quickly."""
    pyinfra_tuning.quicken()
    found = []
    for how in (slow, contextmanager(lambda: iter([None]))):
        with how():
            found.append(ask())
    return found


def nested(depth: int) -> list[int]:
    return nested(depth - 1) if depth else order()


def test_what_pyinfra_reads_is_where_it_was() -> None:
    assert util.get_operation_order_from_stack.__globals__ is vars(util)
    for module, name in SLOW:
        assert callable(getattr(module, name))
    assert arguments.pop_global_arguments.__globals__ is vars(arguments)


def test_an_operation_stands_where_it_stood() -> None:
    for cli in (True, False):
        before, pyinfra.is_cli = pyinfra.is_cli, cli
        try:
            usual, quick = both(lambda: nested(4))
        finally:
            pyinfra.is_cli = before
        assert usual == quick
        assert len(quick) > 5


def test_a_line_is_named_as_it_was() -> None:
    usual, quick = both(lambda: str(util.get_call_location()))
    assert usual == quick
    assert "test_pyinfra_tuning.py" in quick


def test_global_arguments_are_the_same() -> None:
    usual, quick = both(lambda: dict(arguments.all_global_arguments()))
    assert usual == quick
