"""Is the certificate of the gateway good for a while yet? It never stops traffic: clients do."""

from agent.certificate import Validity
from agent.checks.base import ok, warn
from agent.errors import SourceError
from agent.model import CheckResult
from agent.sources import Sources
from agent.sources.gateway import GatewayReading
from agent.spec import HostSpec

DAY = 86400.0  # seconds
SOON, URGENT = 14 * DAY, 3 * DAY
SHARE = 1 / 3  # of the lifetime: what is good for some days only is not always about to expire
CURES = {
    "files": "put a new one into gateway_tls_cert_file and deploy",
    "local-ca": "deploy this host; that renews it",
    "acme": "see why with: journalctl -u certbot; certbot renew",
}


class Certificate:
    """See the module."""

    name = "certificate"

    async def read(self, sources: Sources) -> tuple[Validity | str, float]:
        """Take the validity, or why there is none, and when it was looked at."""
        found: GatewayReading = sources.gateway.require()
        return found.certificate or found.problem, sources.gateway.at

    def judge(self, reading: tuple[Validity | str, float], spec: HostSpec) -> list[CheckResult]:
        """Say for how long it is good: the gateway's, or else the balancer's."""
        validity, now = reading
        if not spec.engines and not spec.balancer.enabled:
            return []
        if isinstance(validity, str):
            raise SourceError(validity)
        left = validity.ends - now
        whose, cure = ("gateway", CURES[spec.gateway.tls])
        if not spec.engines:
            whose = "balancer"
            cure = CURES[spec.balancer.tls].replace("gateway_", "balancer_")
        if left <= 0:
            message = f"the certificate of the {whose} has expired, clients refuse it: {cure}"
            return [warn(self.name, "node", "CertificateExpired", message)]
        if left < min(SOON, validity.lifetime * SHARE):
            message = f"the certificate of the {whose} expires in {_days(left)}: {cure}"
            if left < URGENT:
                message = f"urgent: {message}"
            return [warn(self.name, "node", "CertificateExpiring", message)]
        return [ok(self.name, "node", f"the certificate is good for {_days(left)}")]


def _days(seconds: float) -> str:
    """Return it in whole days or hours, so that the sentence does not change at every look."""
    if seconds < 2 * DAY:
        return f"{seconds // 3600:.0f} hours"
    return f"{seconds // DAY:.0f} days"
