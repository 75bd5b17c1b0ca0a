"""Which keys a state file may hold: those of `src/h100.defaults`, and faults."""

import re
from difflib import get_close_matches
from pathlib import Path

DEFAULTS = Path(__file__).parent / "src" / "h100.defaults"

# Made from the GPU's number when the state says nothing, so h100.defaults doesn't list them.
IDENTITY = ("uuid", "serial", "pci", "minor")
# Follow from other keys unless set.
_COMPUTED = (
    "margin",
    "gsp.version",
    *(
        f"ecc.{span}.{kind}"
        for span in ("volatile", "aggregate")
        for kind in ("corrected", "uncorrected")
    ),
)
_FAULT = re.compile(r"(return|hang|hang_uninterruptible|delay_ms)\.(nvml[A-Z]\w*|\*)")
_CALL_VERSION = re.compile(r"(_v\d+|WithFlags)$")
_NUMBERED = re.compile(
    r"field\.\d+(\.return)?|nvlink\.\d+\.(state|version|error(\.\w+)?|remote)|"
    r"ecc\.(volatile|aggregate)\.(un)?corrected\.(l1|l2|registers|texture|shared|cbu)"
)
_GPU_PREFIX = re.compile(r"gpu\.(\d+|\*)\.(.+)")


def parse(text: str) -> dict[str, str]:
    """Read `key = value` lines; `#` starts a comment line; the last line of a key wins."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}


def defaults() -> dict[str, str]:
    """What the simulator answers when a state file doesn't say otherwise."""
    return parse(DEFAULTS.read_text())


def checked(key: str) -> str:
    """Give the key as it is written: the fault of a call is the fault of all its versions.

    Raises ValueError, naming the nearest known key, for a key that the simulator won't read.
    """
    in_gpu = _GPU_PREFIX.fullmatch(key)
    name = in_gpu[2] if in_gpu else key
    if _FAULT.fullmatch(name):
        return _CALL_VERSION.sub("", key)
    known = _keys_of_a_gpu() if in_gpu else {*defaults(), "nvml_version"}
    if name in known or (in_gpu and _NUMBERED.fullmatch(name)):
        return key
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"the NVML simulator knows no key {key!r}{hint}")


def _keys_of_a_gpu() -> set[str]:
    prefix = "gpu.*."
    listed = {key.removeprefix(prefix) for key in defaults() if key.startswith(prefix)}
    return listed.union(IDENTITY, _COMPUTED)
