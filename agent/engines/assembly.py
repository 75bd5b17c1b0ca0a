"""What the containers of all engines have in common."""

from collections.abc import Iterable, Mapping

from agent.engines import companions, room
from agent.engines.base import Container
from agent.spec import EngineSpec

GIB = 1 << 30
# Threads count: NCCL, OpenMP, the compilers and the tokenizers start hundreds for each GPU.
PROCESSES = 4096


def container(
    engine: EngineSpec,
    weights: str,
    *,
    command: Iterable[str],
    environment: Mapping[str, str],
    port: int,
    user: str = room.ROOT,
    directory: str | None = None,
    scratch: tuple[str, ...] = (),
) -> Container:
    """Return the container; what the operator adds comes last, and wins over defaults.

    `user` is for when the spec names none; `scratch` are directories that the program writes to,
    and nobody needs later.
    """
    return Container(
        image=engine.image,
        command=(*command, *engine.extra_args),
        environment={**environment, **engine.environment},
        port=port,
        published=engine.port,
        mounts=companions.mounts(engine, weights),
        # In the container, where the engines keep sockets.
        tmpfs=("/tmp", *scratch),  # noqa: S108
        shm_bytes=engine.shm_gib * GIB,
        memory_bytes=engine.memory_gib * GIB if engine.memory_gib else None,
        user=engine.user or user,
        directory=directory,
        processes=engine.pids or PROCESSES * max(1, engine.gpus),
        read_only=engine.read_only,
    )
