"""A file that kmod takes for the kernel module `nvidia`: only its name and its version are real."""

import subprocess
import tempfile
from pathlib import Path

from tests.sandbox import tools

ROOM = 24  # bytes for a version
_OPEN, _PROPRIETARY = b"license=Dual MIT/GPL", b"license=NVIDIA"
_SOURCE = f"""
#define INFO(name) __attribute__((section(".modinfo"), used, aligned(1))) static const char name[]
INFO(license) = "{_OPEN.decode()}";
INFO(module) = "name=nvidia";
INFO(version) = "version={"@" * ROOM}";
"""


def template() -> bytes:
    """Compile the module, with room for a version."""
    tools.ensure("gcc")
    with tempfile.TemporaryDirectory(prefix="stoker-module-") as scratch:
        made = Path(scratch) / "nvidia.ko"
        command = ["gcc", "-c", "-x", "c", "-", "-o", str(made)]
        subprocess.run(command, input=_SOURCE.encode(), check=True, capture_output=True)
        return made.read_bytes()


def module(template: bytes, version: str, *, opened: bool = True) -> bytes:
    """Give the module of one version and flavour."""
    made = template.replace(b"@" * ROOM, version.encode().ljust(ROOM, b"\0"))
    return made if opened else made.replace(_OPEN, _PROPRIETARY.ljust(len(_OPEN), b"\0"))
