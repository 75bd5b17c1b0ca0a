"""A certificate of the gateway that the node itself obtains."""

from collections.abc import Generator
from datetime import UTC, datetime

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.spec import GatewaySpec
from fleet import acme, gateway
from fleet.facts.acme import AcmeLineage
from fleet.facts.paths import PathStates

# The server's own words out of certbot's many; failing these its last line.
WORDS = (
    "awk '/^  Domain: / { name = substr($0, 11) } "
    '/^  Detail: / { print name ": " substr($0, 11); told = 1 } '
    "next_too { print; told = 1; next_too = 0 } "
    "/unexpected error occurred/ { next_too = 1 } "
    "NF { last = $0 } END { if (!told) print last }' | paste -sd' '"
)


@operation()
def self_signed(names: list[str]) -> Generator[StringCommand]:
    """Make a certificate and key where there are none, so that nginx can start before ACME."""
    paths = [gateway.CERTIFICATE, gateway.PRIVATE_KEY]
    if len(host.get_fact(PathStates, paths=paths)) == len(paths):
        host.noop("there is a certificate")
        return
    key, certificate = (f"{path}.stoker-new" for path in (gateway.PRIVATE_KEY, gateway.CERTIFICATE))
    alternatives = ",".join(f"DNS:{name}" for name in names)
    yield StringCommand(
        "umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
        f"-days 7 -keyout {key} -out {certificate} -subj",
        QuoteString(f"/CN={names[0][:64]}"),
        "-addext",
        QuoteString(f"subjectAltName={alternatives}"),
        f"2>/dev/null && chmod 644 {certificate} && mv -f {key} {gateway.PRIVATE_KEY} && "
        f"mv -f {certificate} {gateway.CERTIFICATE}",
    )


@operation()
def acme_certificate(settings: GatewaySpec) -> Generator[StringCommand]:
    """Obtain the certificate when there is none, or it is not the one wanted; place it."""
    found = host.get_fact(AcmeLineage)
    if found.wanted(settings, datetime.now(UTC)):
        if found.placed:
            host.noop("the certificate is there and in use")
        else:
            yield StringCommand(f"RENEWED_LINEAGE={acme.LIVE} {acme.HOOK}")
        return
    trust = f"REQUESTS_CA_BUNDLE={acme.CA} " if settings.acme_ca_file else ""
    said = f"gateway_acme_directory = {settings.acme_directory!r} gave no certificate: "
    command = (QuoteString(word) for word in acme.certbot(settings, found))
    yield StringCommand(
        f"said=$({trust}", *command, "2>&1) ||",
        "{ printf '%s%s\\n'", QuoteString(said), f'"$(printf \'%s\\n\' "$said" | {WORDS})" >&2;',
        "exit 1; }",
    )  # fmt: skip


@operation()
def acme_off() -> Generator[StringCommand]:
    """Let certbot forget the certificate, so that it does not put it in place again."""
    there = host.get_fact(PathStates, paths=[acme.HOOK, acme.RENEWAL])
    if not there:
        host.noop("nothing is obtained by ACME")
        return
    if acme.RENEWAL in there:
        yield StringCommand(f"certbot delete --non-interactive --cert-name {acme.LINEAGE}")
    yield StringCommand(f"rm -f {acme.HOOK} {acme.DROP_IN}")
