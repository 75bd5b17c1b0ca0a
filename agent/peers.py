"""What a host is told of the others of its inventory: how to reach them, and what they serve.

A node converges to its release without any inventory, so what it must know of other hosts stands in
its own spec. `fleet.peering` fills it in once the specs of all hosts are made.
"""

from typing import Literal

from msgspec import field

from agent.spec_types import Count, Port, Section


class PeerEngine(Section, frozen=True, kw_only=True):
    """An engine of another host. `models` is what clients may send: its name, then its adapters."""

    kind: Literal["tgi", "vllm", "sglang"]
    model: str
    models: tuple[str, ...]
    gpus: int
    most: Count

    @property
    def name_served(self) -> str:
        """The model name that clients send."""
        return self.models[0]


class Peer(Section, frozen=True, kw_only=True):
    """One host of the inventory, as the others reach it.

    `address`: an IP address, or a name. `server_name`: for which its gateway's certificate is,
    empty = for any; `tls`: where that is from. `reads`: whether the agent listens for others.
    `metrics_port`: of its balancer, if it is one. `roles`: as `HostSpec.roles`.
    """

    name: str
    address: str
    server_name: str = ""
    tls: Literal["files", "local-ca", "acme"] = "files"
    port: Port = 443
    read_port: Port = 9750
    check_port: Port = 9751
    reads: bool = False
    roles: tuple[str, ...] = ()
    metrics_port: Port | None = None
    engines: dict[str, PeerEngine] = field(default_factory=dict)

    @property
    def pools(self) -> dict[str, tuple[PeerEngine, ...]]:
        """Its engines by what they serve, under the name that its gateway has for that."""
        found: dict[str, tuple[str, list[PeerEngine]]] = {}
        for name, engine in self.engines.items():
            found.setdefault(engine.name_served, (name, []))[1].append(engine)
        return {name: tuple(engines) for name, engines in found.values()}
