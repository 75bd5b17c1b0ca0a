"""A checkpoint's own metadata: its config.json and the headers of its safetensors files.

A header is the first bytes of a file: 8 bytes with its length (little endian), then JSON that maps
each tensor to dtype, shape and place. So a few KiB tell, to the byte, what a 140 GB model weighs.
"""

import json
import math
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from agent.errors import GARBLED, SourceError
from agent.model import Value
from agent.planner.units import size_of

_EXPERT = re.compile(r"\.experts\.\d+\.")
HEADER_LIMIT = 100 << 20  # the format's own limit


class Tensor(Value, frozen=True, kw_only=True):
    """A tensor as it lies in a file; `count` such tensors when one stands for many."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    count: int = 1

    @property
    def elements(self) -> int:
        """The number of elements, over all that it stands for."""
        return math.prod(self.shape) * self.count

    @property
    def bytes(self) -> float:
        """The size in the file."""
        return self.elements * size_of(self.dtype)


class Checkpoint(Value, frozen=True, kw_only=True):
    """What a planner needs of a repository. `drawn` = the tensors were derived, not read."""

    name: str
    config: dict[str, Any]
    tensors: tuple[Tensor, ...]
    drawn: bool = False

    @property
    def bytes(self) -> int:
        """The size of all weights as they lie in the files."""
        return int(sum(tensor.bytes for tensor in self.tensors))


def of(name: str, config: Mapping[str, Any], tensors: Iterable[Tensor]) -> Checkpoint:
    """Make a checkpoint of what was read; alike tensors of a layer's experts become one."""
    alike: Counter[Tensor] = Counter()
    for tensor in tensors:
        alike[replace(tensor, name=_EXPERT.sub(".experts.0.", tensor.name), count=1)] += (
            tensor.count
        )
    merged = (replace(tensor, count=count) for tensor, count in alike.items())
    return Checkpoint(name=name, config=dict(config), tensors=tuple(merged))


def header(start: bytes) -> tuple[Tensor, ...]:
    """Read the tensors off the start of a safetensors file; raise `SourceError` if garbled."""
    try:
        length = header_length(start)
        entries = json.loads(start[8 : 8 + length])
        return tuple(_tensors(entries))
    except (KeyError, TypeError, AttributeError, *GARBLED) as error:
        raise SourceError(f"not the header of a safetensors file: {error}") from error


def header_length(start: bytes) -> int:
    """Return how many bytes of JSON follow the first 8; raise `SourceError` if that cannot be."""
    if len(start) < 8:
        raise SourceError("not a safetensors file: shorter than 8 bytes")
    length: int = struct.unpack("<Q", start[:8])[0]
    if length > HEADER_LIMIT:
        raise SourceError(f"not a safetensors file: a header of {length} bytes")
    return length


def read(directory: Path) -> Checkpoint:
    """Read a directory of weights; raise `SourceError` when it tells nothing."""
    try:
        config = json.loads((directory / "config.json").read_text())
        # File by file: the tensors of a large model of experts, each by itself, are 40 MB.
        tensors = (t for path in _files(directory) for t in header(_start(path)))
        found = of(directory.name, config, tensors)
    except (OSError, KeyError, TypeError, AttributeError, *GARBLED) as error:
        raise SourceError(f"{directory}: {error}") from error
    if not found.tensors:
        raise SourceError(f"{directory}: no safetensors file in it")
    return found


def _files(directory: Path) -> list[Path]:
    """Return the files the index names, so that a second copy (consolidated.*) is not counted."""
    index = directory / "model.safetensors.index.json"
    if index.exists():
        names = set(json.loads(index.read_text())["weight_map"].values())
        return [directory / name for name in sorted(names)]
    return sorted(directory.glob("*.safetensors"))


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        first = file.read(8)
        return first + file.read(header_length(first))


def _tensors(entries: Mapping[str, Any]) -> Iterator[Tensor]:
    for name, entry in entries.items():
        if name != "__metadata__":
            size_of(entry["dtype"])  # what has no size cannot be weighed
            yield Tensor(name=name, dtype=entry["dtype"], shape=tuple(map(int, entry["shape"])))
