"""The certificate of the gateway, and the streams that its engines break off."""

import pytest

from agent.certificate import Validity
from agent.checks.certificate import DAY, Certificate
from agent.checks.streams import Streams
from agent.errors import SourceError
from agent.gateway_books import Ends
from agent.model import Remedy, Status
from agent.sources.gateway import GatewayReading
from tests.agent.checks.boards import NOW, Round, said, spec


@pytest.mark.parametrize(
    ("days", "lifetime", "reason"),
    [
        (90, 365, "Ok"),
        (14.1, 365, "Ok"),
        (13.9, 365, "CertificateExpiring"),
        (0.1, 365, "CertificateExpiring"),
        (0, 365, "CertificateExpired"),
        (-1, 365, "CertificateExpired"),
        (3, 6, "Ok"),  # one that is good for some days only
        (1.9, 6, "CertificateExpiring"),
    ],
)
async def test_how_long_it_is_good(days: float, lifetime: float, reason: str) -> None:
    ends = NOW + days * DAY
    one = GatewayReading(certificate=Validity(begins=ends - lifetime * DAY, ends=ends))
    check = Certificate()
    found = said(check.judge(await check.read(Round(gateway=one)), spec(1)), "node")
    assert found.reason == reason
    assert found.remedy is Remedy.NONE
    assert found.status in {Status.OK, Status.WARN}


@pytest.mark.parametrize(
    ("days", "tls", "text"),
    [
        (5.5, "files", "expires in 5 days: put a new one"),
        (2.5, "acme", "urgent: the certificate of the gateway expires in 2 days: see why"),
        (1.5, "local-ca", "urgent: the certificate of the gateway expires in 36 hours: deploy"),
        (-1, "local-ca", "has expired, clients refuse it: deploy"),
    ],
)
def test_the_sentence_says_what_to_do(days: float, tls: str, text: str) -> None:
    made = spec(1, gateway_tls=tls, gateway_server_name="gpu-1.example")
    one = Validity(begins=NOW - 300 * DAY, ends=NOW + days * DAY)
    assert text in said(Certificate().judge((one, NOW), made), "node").message


async def test_without_a_certificate_nothing_is_known() -> None:
    found = await Certificate().read(Round(gateway=GatewayReading(problem="no such file")))
    with pytest.raises(SourceError, match="no such file"):
        Certificate().judge(found, spec(1))


@pytest.mark.parametrize(
    ("broken", "ended", "reason"),
    [
        (0, 0, "Ok"),
        (2, 2, "Ok"),
        (3, 3, "StreamsBroken"),
        (3, 150, "Ok"),
        (4, 150, "StreamsBroken"),
    ],
)
async def test_a_share_of_broken_streams(broken: int, ended: int, reason: str) -> None:
    one = GatewayReading(recent={"main": Ends(ended=ended, broken=broken)})
    found = Streams().judge(await Streams().read(Round(gateway=one)), spec(1))
    result = said(found, "engine:main")
    assert (result.reason, result.remedy) == (reason, Remedy.NONE)
    assert f"{broken} of {ended}" in result.message
