"""The CDI specification, by which Docker hands single GPUs to containers."""

import re
from collections.abc import Generator
from itertools import pairwise

from msgspec import Struct
from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from typing_extensions import override

from agent.drift.manifest import Unit
from fleet import manifest

SPEC = "/var/run/cdi/nvidia.yaml"
UNIT = "nvidia-cdi-refresh.service"  # comes with toolkit 1.18; writes it at every boot too
# Files whose arrival makes it stale: the driver's library, and the program that writes it.
_MAKERS = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1 /usr/bin/nvidia-ctk"
_UUID = re.compile(r"\b(?:GPU|MIG)-[0-9a-f-]{36}\b")

# A package's files are as old as the package; that they came later only their ctime tells.
_LOOK = f"""
[ -s {SPEC} ] && [ -z "$(find -L {_MAKERS} -maxdepth 0 -newercm {SPEC} 2>/dev/null)" ] && echo young
systemctl is-enabled -q {UNIT} 2>/dev/null && echo enabled
sed -n 's/^ *-* *name: */has=/p' {SPEC} 2>/dev/null
timeout -k 1 20 nvidia-smi -L 2>/dev/null | sed 's/^/shows=/'
true
"""


class Cdi(Struct, frozen=True, kw_only=True):
    """`young`: there, and younger than driver and toolkit. `has` and `shows` are UUIDs.

    `shows` is what the driver shows; empty where it does not answer, and then nobody knows.
    """

    young: bool = False
    enabled: bool = False
    has: frozenset[str] = frozenset()
    shows: frozenset[str] = frozenset()

    @property
    def fresh(self) -> bool:
        """Say whether every GPU and every MIG instance can be had by its UUID, and no other."""
        gone = self.has - self.shows if self.shows else frozenset[str]()
        return self.young and not self.shows - self.has and not any(map(is_instance, gone))


def is_instance(uuid: str) -> bool:
    """Say whether a UUID is of a MIG instance, which ends with a reset or a new layout."""
    return uuid.startswith("MIG-")


class CdiState(FactBase[Cdi]):
    """Compares the specification with the driver."""

    @override
    @staticmethod
    def default() -> Cdi:
        return Cdi()

    @override
    def command(self) -> str:
        return _LOOK

    @override
    def process(self, output: list[str]) -> Cdi:
        named = (uuid for line in output if line[:4] == "has=" for uuid in _UUID.findall(line))
        shown = [uuid for line in output if line[:6] == "shows=" for uuid in _UUID.findall(line)]
        # Its instances are listed below a GPU; one that is split is not handed out as a whole.
        split = {gpu for gpu, below in pairwise(shown) if is_instance(below)}
        return Cdi(
            young="young" in output,
            enabled="enabled" in output,
            has=frozenset(named),
            shows=frozenset(shown) - {gpu for gpu in split if not is_instance(gpu)},
        )


@operation()
def cdi_fresh() -> Generator[StringCommand]:
    """Write the specification again when it is missing, older than its makers, or lacks a GPU."""
    manifest.of(host).units[UNIT] = Unit(enabled=True)
    found = host.get_fact(CdiState)
    if not found.enabled:
        yield StringCommand("systemctl enable", UNIT)
    if not found.fresh:
        yield StringCommand(
            f"systemctl restart {UNIT} || {{ journalctl -q -o cat -n 10 -u {UNIT} >&2; exit 1; }};",
            "for u in", *map(QuoteString, sorted(found.shows)), ";",
            f'do grep -q -e "$u" {SPEC} || {{ echo "the driver shows $u, but {SPEC} does not name',
            f'it: see journalctl -u {UNIT}" >&2; exit 1; }}; done',
        )  # fmt: skip
    if found.enabled and found.fresh:
        host.noop("the CDI specification is fresh")
