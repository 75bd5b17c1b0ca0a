"""The containers of our engines, beside what they were started as: one command."""

from collections.abc import Iterator

from msgspec import Struct
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from agent.engines import ENGINES
from agent.spec import HostSpec, weights_path

# All that `docker update` can change of a container; the rest is as it was made.
LIMITS = (
    "Memory", "MemorySwap", "MemoryReservation", "NanoCpus", "CpuShares", "CpuQuota", "CpuPeriod",
    "CpusetCpus", "CpusetMems", "BlkioWeight", "PidsLimit",
)  # fmt: skip
_FORM = "|".join(
    [
        "{{.Id}}",
        "{{.HostConfig.RestartPolicy.Name}}",
        *(f"{{{{json .HostConfig.{n}}}}}" for n in LIMITS),
    ]
)


class Container(Struct, frozen=True, kw_only=True):
    """One engine's. `id` of what runs under its name, `started` of what its runner started.

    `restart` is Docker's own policy; `limits` those that are set, by Docker's names.
    """

    id: str
    started: str
    restart: str
    limits: dict[str, str]


class EngineContainers(FactBase[dict[str, Container]]):
    """Maps each of `names` that has a container to it; Docker that does not answer has none."""

    @override
    @staticmethod
    def default() -> dict[str, Container]:
        return {}

    @override
    def command(self, names: list[str]) -> StringCommand:
        return StringCommand(
            "for e in", *map(QuoteString, names),
            ';do f=/run/stoker/engines/$e.json; [ -e "$f" ] || continue;',
            f"c=$(docker inspect -f '{_FORM}' \"stoker-$e\" 2>/dev/null) &&",
            's=$(sed -n \'s/.*"container": *"\\([0-9a-f]*\\)".*/\\1/p\' "$f");',
            'echo "$e|$c|$s"; done; true',
        )  # fmt: skip

    @override
    def process(self, output: list[str]) -> dict[str, Container]:
        found = {}
        for line in output:
            name, id_, restart, *values, started = line.split("|")
            limits = {
                limit: value.strip('"')
                for limit, value in zip(LIMITS, values, strict=True)
                if value not in {"0", "null", '""', "-1"}
            }
            found[name] = Container(id=id_, started=started, restart=restart, limits=limits)
        return found


def changed(spec: HostSpec, found: dict[str, Container]) -> Iterator[str]:
    """Yield the engines whose container was changed, or replaced, behind their runner's back."""
    for name, one in found.items():
        engine = spec.engines[name]
        made = ENGINES[engine.kind].container(engine, weights_path(spec.model, engine), ())
        wanted = {"PidsLimit": str(made.processes)}
        if made.memory_bytes:
            wanted |= dict.fromkeys(("Memory", "MemorySwap"), str(made.memory_bytes))
        if one.id != one.started or one.restart not in {"no", ""} or one.limits != wanted:
            yield name
