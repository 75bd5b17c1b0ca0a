"""What pyinfra keeps of an operation that was loaded and not yet executed."""

import inspect
from collections.abc import Callable


def files(generate: Callable[[], object]) -> tuple[str, ...]:
    """Return the argument `files` of the operation whose commands `generate` makes.

    Arguments are kept in the closure of that function, and nowhere else (pyinfra 3.10).
    """
    arguments = inspect.getclosurevars(generate).nonlocals["kwargs"]
    return tuple(arguments.get("files", ()))
