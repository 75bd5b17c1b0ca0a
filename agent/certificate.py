"""Until when a certificate is good, read off its bytes. Pure.

As much of DER as leads to `Validity` (RFC 5280, 4.1), for which a whole library would be too much.
"""

import base64
import re
from datetime import UTC, datetime

from agent.model import Value

PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
SEQUENCE, VERSION, UTC_TIME, GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
AFTER_VERSION = 3  # serialNumber, signature, issuer
LONG = 0x80  # a length that is longer than one byte; the rest of the byte says how long


class Validity(Value, frozen=True, kw_only=True):
    """When a certificate begins and ends to be good; seconds since 1970."""

    begins: float
    ends: float

    @property
    def lifetime(self) -> float:
        """Seconds between the two."""
        return self.ends - self.begins


def validity(pem: bytes) -> Validity:
    """Return that of the first certificate of a file; raise `ValueError` if there is none."""
    found = PEM.search(pem)
    if found is None:
        raise ValueError("holds no certificate in PEM")
    try:
        return _of_certificate(base64.b64decode(b"".join(found.group(1).split()), validate=True))
    except (ValueError, IndexError) as error:
        raise ValueError("holds a certificate that cannot be read") from error


def _of_certificate(der: bytes) -> Validity:
    whole, _ = _value(der, 0, SEQUENCE)
    signed, _ = _value(whole, 0, SEQUENCE)
    place = _after(signed, 0) if signed[0] == VERSION else 0
    for _ in range(AFTER_VERSION):
        place = _after(signed, place)
    span, _ = _value(signed, place, SEQUENCE)
    return Validity(begins=_time(span, 0), ends=_time(span, _after(span, 0)))


def _value(der: bytes, place: int, tag: int) -> tuple[bytes, int]:
    """Return what lies at `place`, and where the next begins."""
    if der[place] != tag:
        raise ValueError(f"tag {der[place]} is not {tag}")
    start, length = place + 2, der[place + 1]
    if length & LONG:
        start += length & ~LONG
        length = int.from_bytes(der[place + 2 : start])
    if start + length > len(der):
        raise ValueError("cut off")
    return der[start : start + length], start + length


def _after(der: bytes, place: int) -> int:
    return _value(der, place, der[place])[1]


def _time(der: bytes, place: int) -> float:
    tag = der[place]
    if tag not in {UTC_TIME, GENERALIZED_TIME}:
        raise ValueError(f"tag {tag} is no time")
    text = _value(der, place, tag)[0].decode("ascii")
    if tag == UTC_TIME:  # two digits of the year; RFC 5280, 4.1.2.5.1
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
