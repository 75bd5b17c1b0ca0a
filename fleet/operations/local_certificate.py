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
def local_certificate(spec: HostSpec, names: list[str]) -> Generator[StringCommand]:
    """Place certificate and key; the authority makes new ones on this machine when it is time.

    While a deploy is only planned, nothing is written on this machine either.
    """
    if given.release() is not None:  # the authority stays on the control machine
        manifest.of(host).measured |= {gateway.PRIVATE_KEY, gateway.CERTIFICATE}
        host.noop("the certificate is as the last deploy left it")
        return
    directory, keep = Path(spec.gateway.local_ca_dir), host.state.is_executing
    made = local_ca_files.pair(directory, spec.name, names, keep=keep)
    key = place(gateway.PRIVATE_KEY, made.key.decode(), "600", "root:root")
    certificate = place(gateway.CERTIFICATE, made.certificate.decode(), "644", "root:root")
    changes = [*key, *certificate]
    if changes and keep:
        trusted = directory.resolve() / local_ca_files.CA
        logger.info(f"    [{host.name}] clients trust the gateway by {trusted}")
    yield from changes
