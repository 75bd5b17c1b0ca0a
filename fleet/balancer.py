"""HAProxy's configuration for a balancer. Pure."""

import json

from agent.spec import HostSpec
from fleet import gateway_routes as routes
from fleet.balancer_backends import Backend, backends, everybody
from fleet.facts.haproxy import Haproxy
from fleet.gateway import BALANCER
from fleet.gateway_errors import OURS, WRONG
from fleet.render import render

CONF = "/etc/stoker/haproxy.cfg"
SCRIPT = "/etc/stoker/balancer.lua"
CERTIFICATE = "/etc/stoker/balancer.crt"
KEY_LINK = f"{CERTIFICATE}.key"  # where HAProxy looks for it
PRIVATE_KEY = "/etc/stoker/secrets/balancer.key"
NODES_CA = "/etc/stoker/balancer-nodes-ca.crt"

SOCKET = "/run/stoker/haproxy.sock"
STATE = "/run/stoker/haproxy.state"
STAMP = "/run/stoker-haproxy.sha256"
KEEPALIVED = "/etc/keepalived/keepalived.conf"
MODEL_HEADER = "X-Model"
PATHS = tuple(route.path for route in (*routes.ROUTES, routes.MODELS))


def of(spec: HostSpec) -> tuple[Backend, ...]:
    """Return the backends of a balancer."""
    balancer = spec.balancer
    given = balancer.nodes_ca_file is not None
    return backends(balancer.peers or (), spec.name, NODES_CA, given=given)


def haproxy_cfg(spec: HostSpec, haproxy: Haproxy) -> str:
    """Render the whole configuration."""
    made, balancer = of(spec), spec.balancer
    given = balancer.nodes_ca_file is not None
    names = balancer.server_name.split()
    several = len(made) > 1
    return render(
        "haproxy.cfg",
        spec=spec,
        own=balancer,
        ipv6=haproxy.ipv6,
        certificate=CERTIFICATE,
        script=SCRIPT,
        socket=SOCKET,
        state=STATE,
        host=BALANCER,
        model_header=MODEL_HEADER,
        paths=PATHS,
        redirects=redirects(spec),
        any_name="_" in names,
        names=[name for name in names if "*" not in name],
        endings=[name.removeprefix("*") for name in names if name.startswith("*")],
        backends=made,
        everybody=everybody(balancer.peers or (), spec.name, NODES_CA, given=given)
        if several
        else None,
        listing=_listing(made),
        reads_body=several and balancer.read_body,
        seconds=_seconds,
        error=_error,
        busy=_busy(spec),
        WRONG=WRONG,
        OURS=OURS,
    )


def redirects(spec: HostSpec) -> bool:
    """Say whether it leads from port 80 to the port that clients expect."""
    return spec.balancer.port == 443 and not spec.engines


def script(spec: HostSpec) -> str:
    """Render the script that lifts the last word of an agent that is gone."""
    return render("balancer.lua", silence=spec.balancer.agent_silence)


def nodes_ca(spec: HostSpec) -> bool:
    """Say whether the balancer gets certificates of its own to check gateways by."""
    peers = spec.balancer.peers or ()
    return spec.balancer.nodes_ca_file is not None or any(p.tls == "local-ca" for p in peers)


def files(spec: HostSpec) -> list[str]:
    """Return what a running HAProxy was started with, in the order in which its digest is made."""
    return [CONF, SCRIPT, CERTIFICATE, PRIVATE_KEY, *([NODES_CA] if nodes_ca(spec) else [])]


def drop_in(spec: HostSpec) -> str:
    """Render how systemd starts and reloads HAProxy."""
    return render(
        "haproxy.service.d",
        conf=CONF,
        socket=SOCKET,
        state=STATE,
        stamp=STAMP,
        files=" ".join(files(spec)),
        descriptors=2 * spec.balancer.connections + 4096,
        names=_names(spec),
    )


def _names(spec: HostSpec) -> tuple[str, ...]:
    """Return the names of which one must resolve; none if an IP address leads to some host."""
    servers = [server for backend in of(spec) for server in backend.servers]
    if any(server.agent for server in servers):
        return ()
    return tuple(dict.fromkeys(server.address.rpartition(":")[0] for server in servers))


def keepalived_conf(spec: HostSpec, interface: str) -> str:
    """Render how the shared address goes from one balancer to another."""
    return render(
        "keepalived.conf",
        spec=spec,
        own=spec.balancer,
        interface=interface,
        source=own_address(spec),
    )


def nowhere(spec: HostSpec) -> str:
    """Return why no interface of a host without a default route gets the shared address."""
    return (
        f"balancer_vip = {spec.balancer.vip!r}: there is no default route whose interface could "
        "get it; set balancer_vip_interface"
    )


def own_address(spec: HostSpec) -> str:
    """Return the address by which the partners of a balancer know it; empty = not known."""
    return spec.base.address or ""


def _seconds(value: float) -> str:
    """Write seconds as HAProxy reads them."""
    return f"{round(value * 1000)}ms" if value % 1 else f"{value:.0f}s"


def _listing(made: tuple[Backend, ...]) -> str:
    data = [
        {"id": model, "object": "model", "created": 0, "owned_by": "stoker"}
        for backend in made
        for model in backend.models
    ]
    return json.dumps({"object": "list", "data": data})


def _error(kind: str, code: str, text: str) -> str:
    """Return the body of an error in OpenAI's shape, as one word of HAProxy's."""
    said = {"message": text, "type": kind, "param": None, "code": code}
    return "'" + json.dumps({"error": said}, separators=(",", ":")) + "'"


def _busy(spec: HostSpec) -> str:
    seconds = f"{spec.balancer.queue_seconds:g}"
    return f"No host took the request within {seconds} s: all are busy, or cannot be reached."
