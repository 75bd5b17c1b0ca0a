"""nginx's configuration for one host. Pure."""

from agent.spec import HostSpec
from fleet.facts.nginx import Nginx
from fleet.render import render

CONF = "/etc/stoker/nginx.conf"
CERTIFICATE = "/etc/stoker/tls.crt"
PRIVATE_KEY = "/etc/stoker/secrets/tls.key"
KEYS = "/etc/stoker/secrets/gateway-keys.conf"
# Everything that a running nginx was started with, in the order in which its digest is made.
FILES = [CONF, CERTIFICATE, PRIVATE_KEY, KEYS]

# Engines have more, among them unauthenticated ways to unload a model: what is not here is 404.
PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/models")
HTTP2_DIRECTIVE = (1, 25, 1)  # `listen … http2` before; an error after some more versions


def nginx_conf(spec: HostSpec, nginx: Nginx) -> str:
    """Render the whole configuration; the first engine also answers at `/v1/`."""
    routes = [(path, name, path) for name in list(spec.engines)[:1] for path in PATHS]
    routes += [(f"/{name}{path}", name, path) for name in spec.engines for path in PATHS]
    return render(
        "nginx.conf",
        spec=spec,
        routes=routes,
        ipv6=nginx.ipv6,
        http2_directive=nginx.version >= HTTP2_DIRECTIVE,
        certificate=CERTIFICATE,
        private_key=PRIVATE_KEY,
        keys=KEYS,
    )
