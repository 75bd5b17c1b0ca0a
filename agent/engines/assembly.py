"""What the containers of all engines have in common."""

from collections.abc import Iterable, Mapping

from agent.engines import companions
from agent.engines.base import Container
from agent.spec import EngineSpec

GIB = 1 << 30


def container(
    engine: EngineSpec,
    weights: str,
    *,
    command: Iterable[str],
    environment: Mapping[str, str],
    port: int,
) -> Container:
    """Return the container; what the operator adds comes last, and wins over defaults."""
    return Container(
        image=engine.image,
        command=(*command, *engine.extra_args),
        environment={**environment, **engine.environment},
        port=port,
        published=engine.port,
        mounts=companions.mounts(engine, weights),
        tmpfs=("/tmp",),  # noqa: S108 - inside the container, where the engines keep sockets
        shm_bytes=engine.shm_gib * GIB,
        memory_bytes=engine.memory_gib * GIB if engine.memory_gib else None,
    )
