"""Ports that others can reach past the gateway: engines', and those of containers."""

from collections.abc import Iterator

import msgspec

from agent import networks
from agent.doctor.containers import Container, Published
from agent.doctor.finding import Finding, fault, warning
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.spec import HostSpec

LOOPBACK = ("127.", "[::1]", "::1", "[::ffff:127.")


class Listener(msgspec.Struct, frozen=True):
    """Who listens on which address and TCP port."""

    address: str
    port: int
    program: str = "?"


class EnginePorts:
    """Does an engine's port listen for others than the gateway?"""

    name = "engine_ports"

    def read(self, seen: Seen, _spec: HostSpec | None) -> tuple[Listener, ...]:
        """Ask `ss` for all TCP listeners."""
        ran = seen.node.run("ss", "-Hltnp")
        if ran is None or ran.code:
            raise SourceError("ss does not tell who listens")
        return tuple(listeners(ran.out))

    def judge(
        self,
        reading: tuple[Listener, ...],
        spec: HostSpec | None,
        _now: float,
    ) -> Iterator[Finding]:
        """An engine asks for no key: whoever reaches its port may use it, and unload its model."""
        if spec is None:
            return
        engines = {engine.port: name for name, engine in spec.engines.items()}
        for one in dict.fromkeys(reading):
            if one.port in engines and not _local(one.address):
                yield fault(
                    f"port {one.port} of engine {engines[one.port]} listens on {one.address} "
                    f"({one.program}): it can be reached past the gateway, without a key",
                    f"find what listens there: ss -ltnp 'sport = :{one.port}'; docker ps; stop it, "
                    f"then stokerctl restart {engines[one.port]}",
                )


class PublishedPorts:
    """Do containers of anyone publish ports to everybody? Docker forwards them past ufw."""

    name = "published_ports"

    def read(self, seen: Seen, _spec: HostSpec | None) -> tuple[Container, ...]:
        """Take the running containers."""
        return seen.containers()

    def judge(
        self,
        reading: tuple[Container, ...],
        spec: HostSpec | None,
        _now: float,
    ) -> Iterator[Finding]:
        """What `firewall_allow` names is meant."""
        allowed = {networks.port(key) for key in spec.firewall.allow} if spec else set()
        for one in reading:
            open_to_all = {p.port for p in one.published if not _local(p.address)}
            told = sorted(port for port in open_to_all if (port, "tcp") not in allowed)
            if told:
                ports = ", ".join(map(str, told))
                yield warning(
                    f"container {one.name} publishes port {ports} on every address",
                    f"docker run -p 127.0.0.1:{told[0]}:… instead; or name it in firewall_allow",
                )


def listeners(shown: str) -> Iterator[Listener]:
    """Read what `ss -Hltnp` prints."""
    for line in shown.splitlines():
        parts = line.split(None, 5)
        address, _, port = parts[3].rpartition(":") if len(parts) > 4 else ("", "", "")
        if port.isdigit():
            program = parts[5].split('"')[1] if len(parts) > 5 and '"' in parts[5] else "?"
            yield Listener(address, int(port), program)


def _local(address: str) -> bool:
    return address.startswith(LOOPBACK)


__all__ = ["EnginePorts", "Listener", "Published", "PublishedPorts", "listeners"]
