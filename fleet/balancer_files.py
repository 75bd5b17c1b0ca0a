"""What the control machine can tell about the certificates of a balancer."""

from collections.abc import Iterator

from msgspec.structs import replace

from agent.spec import GatewaySpec, HostSpec
from fleet import tls_files


def as_gateway(spec: HostSpec) -> GatewaySpec:
    """Return the settings of the balancer's certificate as those of a gateway's."""
    own = spec.balancer
    return replace(
        spec.gateway,
        server_name=own.server_name,
        tls=own.tls,
        tls_cert_file=own.tls_cert_file,
        tls_key_file=own.tls_key_file,
    )


def faults(spec: HostSpec, look: tls_files.Look) -> Iterator[str]:
    """Yield one sentence for each thing that keeps the balancer from having its certificates."""
    yield from map(_named, tls_files.faults(as_gateway(spec), look))
    path = spec.balancer.nodes_ca_file
    if path is not None:
        yield from look("balancer_nodes_ca_file", path, secret=False)


def warnings(spec: HostSpec) -> list[str]:
    """Return a sentence when the operator's certificate expires soon."""
    return [_named(one) for one in tls_files.warnings(as_gateway(spec))]


def _named(sentence: str) -> str:
    for key in ("tls_", "server_name"):
        sentence = sentence.replace(f"gateway_{key}", f"balancer_{key}")
    return sentence
