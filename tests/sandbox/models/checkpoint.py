"""Writing BF16 safetensors files by hand, with the same bytes on every machine.

Format (github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON header with
dtype, shape and data offsets for each tensor, then the data.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from pathlib import Path

Shape = tuple[int, ...]


def bf16(value: float) -> bytes:
    """A float as BF16: the upper half of its IEEE 754 single, truncated."""
    return struct.pack("<f", value)[2:]


_ONE = bf16(1.0)
_NOISE = tuple(bf16((byte - 127.5) / 2550) for byte in range(256))  # -0.05 to 0.05


def tensor_bytes(name: str, shape: Shape) -> bytes:
    """A tensor's data: ones for norms (shape of one dimension), noise seeded by its name else."""
    count = math.prod(shape)
    if len(shape) == 1:
        return _ONE * count
    return b"".join(map(_NOISE.__getitem__, hashlib.shake_256(name.encode()).digest(count)))


def write(path: Path, shapes: dict[str, Shape]) -> int:
    """Write one file with these tensors; returns the size of their data in bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        end = offset + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data should start at a multiple of 8
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            stream.write(tensor_bytes(name, shape))
    return offset
