"""What pyinfra keeps of an operation, as far as the plan looks into it."""

from collections.abc import Callable, Iterator
from types import CodeType

from pyinfra.api import operation

from fleet.plan import loaded


def _generator(**kwargs: object) -> Callable[[], Iterator[object]]:
    """As pyinfra makes it: a function inside another, around its arguments."""

    def command_generator() -> Iterator[object]:
        yield kwargs

    return command_generator


def test_the_files_of_an_operation() -> None:
    assert loaded.files(_generator(unit="x", files=["/etc/a", "/etc/b"])) == ("/etc/a", "/etc/b")
    assert loaded.files(_generator(unit="x")) == ()


def test_pyinfra_keeps_arguments_where_they_are_looked_for() -> None:
    wrap = operation.__globals__["_wrap_operation"].__code__
    [found] = [code for code in _inner(wrap) if code.co_name == "command_generator"]
    assert "kwargs" in found.co_freevars


def _inner(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inner(constant)
