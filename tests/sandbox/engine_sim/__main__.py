"""``python -m tests.sandbox.engine_sim [PROGRAM] [ARGS]``: run one program of a dialect.

The launcher starts its children through this same door, so that every process of the tree carries
the real program's name in its command line.
"""

import sys

from .dialects import DEFAULT_PROGRAM, program


def main(argv: list[str]) -> int:
    """Run the program named first, or the default launcher, and give its exit code."""
    name, args = DEFAULT_PROGRAM, argv
    if argv and program(argv[0]) is not None:
        name, args = argv[0], argv[1:]
    run = program(name)
    assert run is not None
    return run(args)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
