"""Runs the real agent on files below a directory: `python -m benchmarks.entry DIRECTORY`.

Apart from `agent.paths.Paths` it is `python -m agent`, and it imports nothing else, so that its
memory is the agent's. With `FROM SECONDS` behind the directory, it profiles so many seconds of the
main thread, from so many seconds on, into the file `profile` of the directory.
"""

import asyncio
import logging
import sys
from pathlib import Path

from agent.__main__ import serve
from agent.paths import Paths
from agent.spec import load


def paths(root: Path) -> Paths:
    """Return where the agent's files lie."""
    return Paths(etc=root / "etc", state=root / "state", run=root / "run")


def main() -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(_serve(Path(sys.argv[1]), *map(float, sys.argv[2:4])))


async def _serve(root: Path, since: float = 0.0, seconds: float = 0.0) -> None:
    moved = paths(root)
    profiling = asyncio.create_task(_profile(root / "profile", since, seconds))
    await serve(load(moved.spec.read_bytes()), moved)
    profiling.cancel()


async def _profile(file: Path, since: float, seconds: float) -> None:
    if not seconds:
        return
    import cProfile  # noqa: PLC0415 - it would be in the memory of those who do not ask for it

    await asyncio.sleep(since)
    profile = cProfile.Profile()
    profile.enable()  # of the whole thread, so of all that the loop runs
    await asyncio.sleep(seconds)
    profile.disable()
    profile.dump_stats(file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


if __name__ == "__main__":
    main()
