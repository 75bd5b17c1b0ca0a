"""The certificate that certbot keeps for the gateway: one command."""

from pyinfra.api import FactBase
from typing_extensions import override

from fleet import acme, gateway
from fleet.acme import Lineage


class AcmeLineage(FactBase[Lineage]):
    """Where certbot is not installed, or has obtained nothing, it is empty."""

    @override
    @staticmethod
    def default() -> Lineage:
        return Lineage()

    @override
    def command(self) -> str:
        live = acme.LIVE
        return (
            f"[ -e {live}/fullchain.pem ] || exit 0; grep '^server = ' {acme.RENEWAL}; "
            f"openssl x509 -in {live}/fullchain.pem -noout -dates -ext subjectAltName; "
            f"cmp -s {live}/fullchain.pem {gateway.CERTIFICATE} && "
            f"cmp -s {live}/privkey.pem {gateway.PRIVATE_KEY} && echo placed; true"
        )

    @override
    def process(self, output: list[str]) -> Lineage:
        return acme.lineage(output)
