"""MIG layouts: what the spec declares and what nvidia-smi shows. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from agent.model import Value

ALL = "all"
# NVIDIA's names: 3g.40gb, 1g.10gb+me, and the like.
PROFILE = re.compile(r"[1-9]g\.\d+gb(\+[a-z0-9.+]+)*")
# Rows of `nvidia-smi mig -lgi` and `-lci`:
# |   0  MIG 3g.40gb          9        2          0:4     |
# |   0      2       MIG 3g.40gb          2         0          0:4     |
_INSTANCE = re.compile(r"\|\s+(\d+)\s+MIG (\S+)\s+\d+\s+(\d+)\s+\d+:\d+\s+\|")
_COMPUTE = re.compile(r"\|\s+(\d+)\s+(\d+)\s+MIG \S+\s+\d+\s+\d+\s+\d+:\d+\s+\|")
# What it says, with an exit code of its own, where there are none.
NONE_FOUND = ("No GPU instances found", "No compute instances found", "No MIG-enabled devices")


class Card(Value, frozen=True, kw_only=True):
    """A GPU that nvidia-smi lists; `mode` is None where the GPU cannot be split at all."""

    index: int
    uuid: str
    mode: bool | None
    pending: bool = False


class Instance(Value, frozen=True, kw_only=True):
    """A GPU instance; `computes`: it has a compute instance, without which nothing can use it."""

    gpu: int
    profile: str
    number: int
    computes: bool = False


def wanted(mig: Mapping[str, tuple[str, ...]], gpus: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Return the profiles of each GPU that is to be split; an index goes before "all"."""
    found = {gpu: mig.get(str(gpu), mig.get(ALL, ())) for gpu in gpus}
    return {gpu: profiles for gpu, profiles in found.items() if profiles}


def split(mig: Mapping[str, tuple[str, ...]], count: int) -> int:
    """Return how many of `count` GPUs are to be split, and so serve no engine."""
    return len(wanted(mig, range(count)))


def faults(mig: Mapping[str, tuple[str, ...]], count: int) -> Iterator[str]:
    """Yield one sentence for each thing in `driver_mig` that cannot be."""
    for key, profiles in mig.items():
        if key != ALL and not (key.isascii() and key.isdigit() and int(key) < count):
            yield (
                f"driver_mig[{key!r}]: must be the index of one of the {count} GPUs "
                f'(driver_gpu_count), or "{ALL}"'
            )
        if not profiles:
            yield f"driver_mig[{key!r}]: names no profile; leave it out to leave that GPU whole"
        for profile in profiles:
            if not PROFILE.fullmatch(profile):
                yield (
                    f"driver_mig[{key!r}]: {profile!r} is no profile; `nvidia-smi mig -lgip` on "
                    'the host lists them ("3g.40gb", "1g.10gb", …)'
                )


def cards(text: str) -> Iterator[Card]:
    """Read `--query-gpu=index,uuid,mig.mode.current,mig.mode.pending --format=csv,noheader`."""
    for line in text.splitlines():
        index, uuid, mode, pending = (part.strip() for part in line.split(","))
        known = mode in {"Enabled", "Disabled"}
        yield Card(
            index=int(index),
            uuid=uuid,
            mode=mode == "Enabled" if known else None,
            pending=pending == "Enabled",
        )


def instances(listed: str, computing: str) -> tuple[Instance, ...]:
    """Read the tables of `nvidia-smi mig -lgi` and `nvidia-smi mig -lci`."""
    able = set(_COMPUTE.findall(computing))
    return tuple(
        Instance(gpu=int(gpu), profile=profile, number=int(number), computes=(gpu, number) in able)
        for gpu, profile, number in _INSTANCE.findall(listed)
    )


def differs(profiles: tuple[str, ...], there: Iterable[Instance]) -> bool:
    """Say whether a GPU has other instances than those; where they lie on it does not matter."""
    found = list(there)
    usable = all(one.computes for one in found)
    return not usable or Counter(profiles) != Counter(one.profile for one in found)


def shown(profiles: Iterable[str]) -> str:
    """Return profiles for a sentence."""
    return ", ".join(profiles) or "no instances"
