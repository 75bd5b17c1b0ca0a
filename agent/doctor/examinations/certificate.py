"""The gateway's certificate: good for a while, for the name that clients use, and served."""

import re
from collections.abc import Iterator

import msgspec

from agent.certificate import Validity, validity
from agent.checks.certificate import CURES, SHARE, SOON
from agent.doctor.finding import Finding, fault, unknown, warning
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.spec import HostSpec

CONF = "/etc/stoker/nginx.conf"
PORT = 443
DAY = 86400.0
CURE = "put a new one into gateway_tls_cert_file and deploy"


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """`names` that it is for, None = not known; `same`: what nginx serves is what lies there."""

    path: str = ""
    validity: Validity | None = None
    names: tuple[str, ...] | None = None
    same: bool | None = None


class Certificate:
    """See the module."""

    name = "certificate"

    def read(self, seen: Seen, _spec: HostSpec | None) -> Served | None:
        """Find the certificate that nginx is told of, and the one that it serves."""
        conf = seen.node.text(CONF)
        found = re.search(r"^\s*ssl_certificate\s+(\S+);", conf or "", re.MULTILINE)
        if found is None:
            return None
        path = found[1]
        pem = seen.node.text(path)
        if pem is None:
            return Served(path=path)
        try:
            served = seen.node.certificate(PORT)
        except SourceError:
            served = None
        try:
            valid = validity(pem.encode())
        except ValueError as error:
            raise SourceError(f"{path} {error}") from error
        return Served(
            path=path,
            validity=valid,
            names=names(seen, path),
            same=None if served is None else _body(served) == _body(pem),
        )

    def judge(self, reading: Served | None, spec: HostSpec | None, now: float) -> Iterator[Finding]:
        """Tell of the end that is near, of a name that is missing, and of a forgotten reload."""
        if reading is None:
            return
        if reading.validity is None:
            yield fault(f"{reading.path} is missing: nginx cannot start", "deploy this host again")
            return
        yield from ending(reading.validity, now, CURES[spec.gateway.tls] if spec else CURE)
        name = spec.gateway.server_name if spec else "_"
        if reading.names is None:
            yield unknown("the names in the certificate cannot be read: openssl is not installed")
        elif name != "_" and not covers(reading.names, name):
            yield fault(
                f"the certificate is for {', '.join(reading.names) or 'no name'}, "
                f"not for gateway_server_name = {name}: clients refuse it",
                "put one for that name into gateway_tls_cert_file and deploy",
            )
        if reading.same is False:
            yield warning(
                f"nginx serves another certificate than {reading.path}", "systemctl reload nginx"
            )


def ending(valid: Validity, now: float, cure: str) -> Iterator[Finding]:
    """Say that a certificate ends soon, by the limits of the agent's own check."""
    left = valid.ends - now
    if left <= 0:
        yield fault(f"the certificate has expired {-left / DAY:.0f} days ago", cure)
    elif left < min(SOON, valid.lifetime * SHARE):
        yield warning(f"the certificate expires in {left / DAY:.1f} days", cure)
    elif valid.begins > now:
        yield fault("the certificate is not good yet: the clock is wrong, or it is", cure)


def names(seen: Seen, path: str) -> tuple[str, ...] | None:
    """Return the names that the certificate at `path` is for."""
    ran = seen.node.run("openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", path)
    if ran is None:
        return None
    return tuple(re.findall(r"(?:DNS|IP Address):([^\s,]+)", ran.out))


def covers(names: tuple[str, ...], name: str) -> bool:
    """Say whether a client accepts one of `names` for `name`; `*` stands for one label."""
    parent = name.partition(".")[2]
    return any(one.lower() in {name.lower(), f"*.{parent}".lower()} for one in names)


def _body(pem: str) -> str:
    found = re.search(r"-----BEGIN CERTIFICATE-----(.+?)-----END", pem, re.DOTALL)
    return "".join(found[1].split()) if found else ""
