"""Disks: room and inodes where the system, Docker, the weights and the journal lie."""

from collections.abc import Iterator

import msgspec

from agent.doctor.finding import Finding, fault, unknown, warning
from agent.doctor.node import Space
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.spec import HostSpec

GIB = 1024**3
# A file system this small is judged by its share alone: no floor of GiB would ever hold.
SMALL = 16 * GIB
PLACES = ("/", "/var/lib/stoker", "/var/log", "/tmp", "/boot", "/run")  # noqa: S108 - looked at
FULL, INODES = 0.97, 0.95
EMPTY = 1 * GIB


class DisksReading(msgspec.Struct, frozen=True, kw_only=True):
    """Space by path, once a file system; `stuck`: paths that could not be looked at."""

    spaces: dict[str, Space]
    stuck: tuple[str, ...] = ()


class Disks:
    """See the module."""

    name = "disks"

    def read(self, seen: Seen, spec: HostSpec | None) -> DisksReading:
        """Measure where something of ours is written."""
        try:
            docker = seen.docker()
        except SourceError:
            docker = None
        places = [*PLACES, docker.root if docker else "/var/lib/docker"]
        places += [spec.model.root] if spec else []
        found: dict[str, Space] = {}
        stuck = []
        for path in places:
            try:
                space = seen.node.space(path)
            except SourceError as error:
                stuck.append(str(error))
                continue
            if space and space.where not in {one.where for one in found.values()}:
                found[path] = space
        return DisksReading(spaces=found, stuck=tuple(stuck))

    def judge(self, reading: DisksReading, spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Tell of what is full, and of what soon will be."""
        floor = (spec.check.disk_floor_gib if spec else 5) * GIB
        for path, space in reading.spaces.items():
            fix = (
                f"du -xh --max-depth=2 {path} | sort -h | tail; docker system df; stoker-weights gc"
            )
            used = 1 - space.free / space.total if space.total else 0.0
            small = space.total < SMALL
            if (used > FULL and small) or (not small and space.free < EMPTY):
                yield fault(
                    f"{path} is full: {_size(space.free)} free of {_size(space.total)}", fix
                )
            elif not small and space.free < floor:
                yield warning(
                    f"{path} has {_size(space.free)} free, check_disk_floor_gib is {floor // GIB}",
                    fix,
                )
            if space.inodes and 1 - space.inodes_free / space.inodes > INODES:
                share = 100 - 100 * space.inodes_free / space.inodes
                yield warning(f"{path} has used {share:.0f} % of its inodes", fix)
        for sentence in reading.stuck:
            yield unknown(sentence)


def _size(size: int) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / 1024**2:.0f} MiB"
