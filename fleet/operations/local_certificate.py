"""The host's certificate from the operator's own authority, and its key."""

from collections.abc import Generator
from pathlib import Path

from pyinfra import host, logger
from pyinfra.api import StringCommand, operation

from agent.spec import HostSpec
from fleet import gateway, local_ca_files, manifest
from fleet.operations.file import place
from fleet.release import given


@operation()
def local_certificate(
    spec: HostSpec,
    names: list[str],
    called: str = "",
    certificate: str = gateway.CERTIFICATE,
    private_key: str = gateway.PRIVATE_KEY,
) -> Generator[StringCommand]:
    """Place certificate and key; the authority makes new ones on this machine when it is time.

    They lie there as `called`, or else by the host's name. While a deploy is only planned, nothing
    is written on this machine either.
    """
    if given.release() is not None:  # the authority stays on the control machine
        manifest.of(host).measured |= {private_key, certificate}
        host.noop("the certificate is as the last deploy left it")
        return
    directory, keep = Path(spec.gateway.local_ca_dir), host.state.is_executing
    made = local_ca_files.pair(directory, called or spec.name, names, keep=keep)
    key = place(private_key, made.key.decode(), "600", "root:root")
    public = place(certificate, made.certificate.decode(), "644", "root:root")
    changes = [*key, *public]
    if changes and keep:
        trusted = directory.resolve() / local_ca_files.CA
        logger.info(f"    [{host.name}] clients trust the gateway by {trusted}")
    yield from changes


@operation()
def local_authority(spec: HostSpec, path: str) -> Generator[StringCommand]:
    """Place the certificate of the authority itself, for who checks what it has signed."""
    if given.release() is not None:
        manifest.of(host).measured |= {path}
        host.noop("the authority's certificate is as the last deploy left it")
        return
    directory, keep = Path(spec.gateway.local_ca_dir), host.state.is_executing
    content = local_ca_files.trusted(directory, keep=keep)
    yield from place(path, content.decode(), "644", "root:root")
