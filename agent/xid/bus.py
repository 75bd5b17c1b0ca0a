"""One spelling for a GPU's place on the PCI bus, so that kernel lines and NVML agree."""

import re

# The kernel prints 0000:3b:00 (no function), NVML 00000000:3B:00.0, `lspci` 3b:00.0.
BUS = r"(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-9a-fA-F]{1,4})?(?![0-9a-fA-F:])"
_PARTS = re.compile(
    r"(?:PCI:)?(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})(?:\.[0-9a-f]{1,4})?"
)


def normal(text: str) -> str:
    """Return `dddddddd:bb:dd` in lower case, without the function; "" if `text` is no bus id."""
    found = _PARTS.fullmatch(text.strip().lower())
    if found is None:
        return ""
    domain, bus, device = found.groups()
    return f"{int(domain or '0', 16):08x}:{bus}:{device}"
