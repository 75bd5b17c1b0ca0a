"""Is each GPU split as declared?"""

import sys
from collections.abc import Iterator

import msgspec

from agent.doctor.examinations.gpus import wanted
from agent.doctor.finding import Finding, fault
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.spec import HostSpec

CHECK = (sys.executable, "-m", "agent.mig", "--check")
DIFFERS = 2  # its exit code


class MigReading(msgspec.Struct, frozen=True, kw_only=True):
    """`differs`: a sentence for each GPU that is not as declared; `on`: numbers of split GPUs."""

    differs: tuple[str, ...] = ()
    on: tuple[int, ...] = ()


class Mig:
    """See the module."""

    name = "mig"

    def read(self, seen: Seen, spec: HostSpec | None) -> MigReading:
        """Ask the program that splits GPUs at boots, where something is declared."""
        if not wanted(spec):
            return MigReading()
        if spec is None or not spec.driver.mig:
            polled = seen.gpus().reading.gpus
            return MigReading(on=tuple(one.index for one in polled if one.mig))
        ran = seen.node.run(*CHECK, seconds=8)
        if ran is None or ran.code not in {0, DIFFERS}:
            said = (ran.out or ran.err).strip().splitlines()[-1:] if ran else []
            raise SourceError(" ".join(said) or "how GPUs are split cannot be told")
        return MigReading(differs=tuple(ran.out.splitlines()) if ran.code else ())

    def judge(self, reading: MigReading, spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """An engine finds fewer GPUs, or smaller ones, than were reckoned with."""
        fix = "drained: systemctl restart stoker-mig; journalctl -u stoker-mig -n 20"
        for sentence in reading.differs:
            yield fault(sentence, fix)
        for index in reading.on if spec else ():
            yield fault(
                f"GPU {index} is in MIG mode, but driver_mig declares nothing",
                f"declare it in driver_mig; or, drained: nvidia-smi -mig 0 -i {index}",
            )
