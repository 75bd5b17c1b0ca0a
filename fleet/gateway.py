"""nginx's configuration for one host. Pure."""

import json

from agent import comeback, served
from agent.spec import HostSpec
from fleet import acme
from fleet import gateway_routes as routes
from fleet.facts.nginx import Nginx
from fleet.gateway_errors import refusals
from fleet.render import render

CONF = "/etc/stoker/nginx.conf"
CERTIFICATE = "/etc/stoker/tls.crt"
PRIVATE_KEY = "/etc/stoker/secrets/tls.key"
KEYS = "/etc/stoker/secrets/gateway-keys.conf"
LIMITS = "/etc/stoker/gateway-limits.conf"  # in every location that leads to an engine
SCRIPT = "/etc/stoker/gateway.js"
# Everything that a running nginx was started with, in the order in which its digest is made.
FILES = [CONF, CERTIFICATE, PRIVATE_KEY, KEYS, LIMITS, SCRIPT]

GATES = "/run/stoker/gates/"
LOG_SOCKET = "/run/stoker/gateway.sock"  # the agent's

ANY_NAME = "_"
BALANCER = "stoker-balancer"  # the host name that balancers ask for, whatever clients ask them for
HTTP2_DIRECTIVE = (1, 25, 1)  # `listen … http2` before; an error after some more versions
SCRIPTING = "libnginx-mod-http-js"


def packages(spec: HostSpec) -> list[str]:
    """Return what is installed: nginx, and its scripting where bodies must be looked into."""
    return ["nginx", SCRIPTING] if _by_name(spec) else ["nginx"]


def nginx_conf(spec: HostSpec, nginx: Nginx) -> str:
    """Render the whole configuration."""
    names = spec.gateway.server_name.split() or [ANY_NAME]
    return render(
        "nginx.conf",
        spec=spec,
        any_name=ANY_NAME in names,
        name="$host" if ANY_NAME in names else names[0],
        js=SCRIPT if _by_name(spec) else "",
        ipv6=nginx.ipv6,
        http2_directive=nginx.version >= HTTP2_DIRECTIVE,
        certificate=CERTIFICATE,
        private_key=PRIVATE_KEY,
        keys=KEYS,
        acme_webroot=acme.WEBROOT,
        tries=routes.TRIES,
        balancer=BALANCER,
        log=_log(spec),
        upstreams=render("nginx-upstreams.conf", upstreams=list(routes.upstreams(spec.engines))),
        errors=_errors(spec),
        locations=_locations(spec),
        readiness=list(routes.readiness(spec.engines)),
        gates=GATES,
    )


def script(spec: HostSpec) -> str:
    """Render the script that chooses by model name; nginx loads it only where there are several."""
    pools = {
        routes.place(pool).place: {"gates": pool.engines, "models": routes.told(pool)}
        for pool in served.pools(spec.engines)
    }
    places = json.dumps(routes.places(spec.engines), indent=1)
    return render("gateway.js", places=places, pools=json.dumps(pools, indent=1), gates=GATES)


def _by_name(spec: HostSpec) -> bool:
    """Tell whether the model's name in a request says which engine is to answer."""
    return len(served.pools(spec.engines)) > 1


def _log(spec: HostSpec) -> str:
    engines = list(routes.addresses(spec.engines))
    return render("nginx-log.conf", engines=engines, socket=LOG_SOCKET)


def _errors(spec: HostSpec) -> str:
    models = [model for pool in served.pools(spec.engines) for model in pool.models]
    errors = refusals(spec.gateway.max_body_mib, spec.gateway.server_name, models)
    balanced = bool(spec.gateway.balancers)
    return render(
        "nginx-errors.conf", errors=errors, gates=GATES, steps=comeback.STEPS, balanced=balanced
    )


def _locations(spec: HostSpec) -> str:
    pools = served.pools(spec.engines)
    return render(
        "nginx-locations.conf",
        spec=spec,
        gates=GATES,
        limits=LIMITS,
        ways=list(routes.ways(spec.engines)),
        by_name=[routes.place(pool) for pool in pools] if _by_name(spec) else [],
        listings=list(routes.listings(spec.engines)),
        unknown_model=routes.MODELS,
    )
