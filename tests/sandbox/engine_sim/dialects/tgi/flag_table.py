"""The table of launcher flags: name, environment variable, type and default of each.

``flags.tsv`` is the reference table read from the launcher's source; what it says in prose about
a default ("none", "auto: …", "3000 (official image …)") is reduced to a value here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHOICES: Mapping[str, tuple[str, ...]] = {
    "--quantize": (
        "awq",
        "compressed-tensors",
        "eetq",
        "exl2",
        "gptq",
        "marlin",
        "bitsandbytes",
        "bitsandbytes-nf4",
        "bitsandbytes-fp4",
        "fp8",
    ),
    "--dtype": ("float16", "bfloat16"),
    "--kv-cache-dtype": ("fp8_e4m3fn", "fp8_e5m2"),
    "--rope-scaling": ("linear", "dynamic"),
    "--usage-stats": ("on", "off", "no-stack"),
    "--sharded": ("true", "false"),
}


@dataclass(frozen=True)
class Flag:
    """One launcher flag."""

    name: str
    short: str | None
    env: str | None
    kind: str
    """The first word of the table's type: string, usize, u16, u32, u64, f32, bool, enum, …"""
    default: str | None

    @property
    def is_switch(self) -> bool:
        """True for a flag that takes no value."""
        return self.kind == "switch"

    @property
    def key(self) -> str:
        """The name as an identifier: ``--max-total-tokens`` is ``max_total_tokens``."""
        return self.name.removeprefix("--").replace("-", "_")


def load_flags() -> tuple[Flag, ...]:
    """Every flag of the launcher, in the table's order; environment-only rows left out."""
    lines = Path(__file__).with_name("flags.tsv").read_text().splitlines()[1:]
    return tuple(_flag(line.split("\t")) for line in lines if line.startswith("--"))


def _flag(row: list[str]) -> Flag:
    name, _, short = row[0].partition(" / ")
    kind = "switch" if row[2] in {"", "bool flag"} else row[2].split()[0]
    return Flag(
        name=name,
        short=short or None,
        env=row[1] if row[1].isidentifier() else None,
        kind=kind,
        default=_default(row[3]),
    )


def _default(prose: str) -> str | None:
    first = prose.split(" ", maxsplit=1)[0].rstrip(":;,")
    return None if first in {"", "none", "auto", "empty", "false"} else first
