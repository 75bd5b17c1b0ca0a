"""Containers that are not ours: what they hold, who starts them, and which weights they have."""

from pathlib import Path

import msgspec
from msgspec import field
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from agent.errors import GARBLED
from agent.model import Value
from agent.rules import SECRET

_PACKAGE = "fleet.facts.foreign_look"
_MODULES = ("command", "config", "caches", "holds", "owner", "program")  # each after what it needs
_LOADER = """
import sys, types
for name, text in {sources!r}.items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(text, module.__dict__)
module.main(sys.argv[1], sys.argv[2:])
"""


class HostPort(Value, frozen=True, kw_only=True):
    """A TCP port of the host that a container listens on."""

    address: str
    port: int


class Snapshot(Value, frozen=True, kw_only=True):
    """One commit in a cache of the Hub; `files` = bytes by path, of a wanted commit alone."""

    repo: str
    commit: str
    files: dict[str, int] = field(default_factory=dict)


class Cache(Value, frozen=True, kw_only=True):
    """A cache of the Hub, as huggingface_hub lays it; `inside` = in the container's own layer."""

    path: str
    inside: bool
    snapshots: tuple[Snapshot, ...]


class Container(Value, frozen=True, kw_only=True):
    """A container that is not ours.

    `injection`: how its GPUs came in: "legacy" (`--gpus`), "runtime", "cdi", "devices"; empty: it
    has none. `holds`: GPUs (UUIDs) that its processes compute on. `secrets`: names, never values.
    `unit`: the systemd unit that starts it; `project`: of Compose, in `directory`.
    """

    name: str
    image: str
    running: bool
    restart: str = "no"
    ports: tuple[HostPort, ...] = ()
    injection: str = ""
    devices: str = ""
    holds: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    model: str = ""
    unit: str = ""
    project: str = ""
    directory: str = ""
    caches: tuple[Cache, ...] = ()


class ForeignContainers(FactBase[tuple[Container, ...] | None]):
    """Looks at a host with Docker; None = Docker did not answer, so nobody knows.

    `wanted` are ORGANISATION/NAME@COMMIT of the weights that are looked for.
    """

    @override
    @staticmethod
    def default() -> tuple[Container, ...] | None:
        return None

    @override
    def command(self, wanted: list[str]) -> StringCommand:
        pins = (QuoteString(pin) for pin in wanted)
        look = StringCommand(
            "python3 -c", QuoteString(shipped()), QuoteString(SECRET.pattern), *pins
        )
        return StringCommand("command -v docker >/dev/null &&", look, "|| true")

    @override
    def process(self, output: list[str]) -> tuple[Container, ...] | None:
        try:
            return msgspec.json.decode("".join(output), type=tuple[Container, ...])
        except GARBLED:
            return None


def shipped() -> str:
    """Return the program that looks, as one text that any python3 runs."""
    directory = Path(__file__).with_name("foreign_look")
    sources = {f"{_PACKAGE}.{name}": (directory / f"{name}.py").read_text() for name in _MODULES}
    return _LOADER.format(sources=sources)
