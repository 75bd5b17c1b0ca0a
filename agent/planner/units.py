"""Bytes, and how an operator reads them: in GiB, as the engines' logs mean it even by "GB"."""

GIB = 1 << 30
MIB = 1 << 20

_SIZES = {
    "F64": 8.0, "I64": 8.0, "U64": 8.0,
    "F32": 4.0, "I32": 4.0, "U32": 4.0,
    "BF16": 2.0, "F16": 2.0, "I16": 2.0, "U16": 2.0,
    "F8_E4M3": 1.0, "F8_E5M2": 1.0, "F8_E8M0": 1.0, "I8": 1.0, "U8": 1.0, "BOOL": 1.0,
    "F6_E2M3": 0.75, "F6_E3M2": 0.75, "F4": 0.5,
}  # fmt: skip


def size_of(dtype: str) -> float:
    """Return the bytes of one element of a safetensors dtype; `KeyError` for one nobody knows."""
    return _SIZES[dtype]


def ceil_div(number: int, by: int) -> int:
    """Divide, rounding up."""
    return -(-number // by)


def round_up(number: int, to: int) -> int:
    """Return the next multiple of `to`."""
    return ceil_div(number, to) * to


def gib(count: float) -> str:
    """Render bytes as GiB with one digit, or two below one GiB."""
    value = count / GIB
    return f"{value:.2f} GiB" if abs(value) < 1 else f"{value:.1f} GiB"
