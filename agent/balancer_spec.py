"""`BalancerSpec`: HAProxy on a host, in front of the gateways of all hosts with engines."""

from typing import Annotated, Literal

from msgspec import Meta

from agent.peers import Peer
from agent.spec_types import Count, Network, Port, Seconds, Section, ServerNames

Header = Annotated[
    str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]*\Z", description="the name of an HTTP header")
]
Interface = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9_.@-]{1,15}\Z", description="a network interface, such as 'eth0'"),
]


class BalancerSpec(Section, frozen=True, kw_only=True):
    """`peers`: the hosts with engines; None = those of the inventory, which are put in here.

    `partners` are the addresses of the other balancers that share `vip`, put in the same way.
    """

    enabled: bool = False
    peers: tuple[Peer, ...] | None = None
    server_name: ServerNames = "_"
    port: Port = 443
    tls: Literal["files", "local-ca"] = "files"
    tls_cert_file: str = ""
    tls_key_file: str = ""
    nodes_ca_file: str | None = None
    check_seconds: Annotated[float, Meta(ge=0.2, le=60)] = 1.0
    agent_seconds: Annotated[float, Meta(ge=0.1, le=10)] = 0.25
    agent_silence: Seconds = 30.0
    read_body: bool = True
    body_kib: Annotated[int, Meta(ge=16, le=4096)] = 128
    affinity: Header | None = None
    affinity_percent: Annotated[int, Meta(ge=101, le=65535)] = 150
    queue_seconds: Seconds = 30.0
    retry_after: Annotated[int, Meta(ge=1)] = 15
    read_timeout: Seconds = 660.0
    connections: Count = 20000
    metrics_port: Port = 8405
    vip: Network | None = None
    vip_interface: Interface | None = None
    vip_id: Annotated[int, Meta(ge=1, le=255)] = 51
    vip_rank: Annotated[int, Meta(ge=0, le=200)] | None = None
    partners: tuple[Network, ...] | None = None
