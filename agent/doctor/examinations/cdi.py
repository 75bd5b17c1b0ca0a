"""The CDI specification, by which Docker hands single GPUs to engines: there, fresh, complete."""

from collections.abc import Iterator

import msgspec

from agent.doctor.examinations.gpus import wanted
from agent.doctor.finding import Finding, fault, warning
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.sources.host_files import HERE
from agent.spec import HostSpec

PATTERNS = ("/var/run/cdi/nvidia.*", "/etc/cdi/nvidia.*")
FIX = "systemctl restart nvidia-cdi-refresh, or nvidia-ctk cdi generate --output={}"
TOOL = "/usr/bin/nvidia-ctk"
DEFAULT = "/var/run/cdi/nvidia.yaml"


class CdiReading(msgspec.Struct, frozen=True, kw_only=True):
    """`missing`: UUIDs that no specification names; `stale`: older than driver or toolkit."""

    paths: tuple[str, ...] = ()
    stale: bool = False
    missing: tuple[str, ...] = ()


class Cdi:
    """See the module."""

    name = "cdi"

    def read(self, seen: Seen, spec: HostSpec | None) -> CdiReading | None:
        """Compare the specifications with the library's file and with NVML's list."""
        node = seen.node
        if not wanted(spec) or node.look(TOOL) is None:
            return None if spec is None or not wanted(spec) else CdiReading()
        paths = [path for pattern in PATTERNS for path in node.paths(pattern)]
        written = [look.time for path in paths if (look := node.look(path))]
        makers = [*(f"{place}/libnvidia-ml.so.1" for place in HERE.libraries), TOOL]
        newest = max((look.arrived for path in makers if (look := node.look(path))), default=0.0)
        text = "\n".join(node.text(path) or "" for path in paths)
        try:
            uuids = [gpu.uuid for gpu in seen.gpus().reading.gpus if gpu.uuid and not gpu.mig]
        except SourceError:
            uuids = []
        return CdiReading(
            paths=tuple(paths),
            stale=bool(written) and max(written) < newest,
            missing=tuple(uuid for uuid in uuids if uuid not in text) if "GPU-" in text else (),
        )

    def judge(
        self, reading: CdiReading | None, _spec: HostSpec | None, _now: float
    ) -> Iterator[Finding]:
        """Engines that run keep their GPUs; the next one to start finds none."""
        if reading is None:
            return
        fix = FIX.format(reading.paths[0] if reading.paths else DEFAULT)
        if not reading.paths:
            yield fault("there is no CDI specification: no engine can be given a GPU", fix)
        elif reading.missing:
            yield fault(
                f"the CDI specification lacks {len(reading.missing)} GPU(s): "
                f"{', '.join(reading.missing)}",
                fix,
            )
        elif reading.stale:
            yield warning(
                f"{reading.paths[0]} is older than the driver: it may name files that are gone", fix
            )
