"""How the webhook's receiver knows that a request is ours: signed here, verified there."""

import hashlib
import hmac
import re


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the `Stoker-Signature` of a body sent at `timestamp` (seconds since 1970)."""
    return "sha256=" + hmac.digest(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hex()


def verify(
    secret: bytes,
    timestamp: str,
    body: bytes,
    signature: str,
    now: float,
    tolerance: float = 300.0,
) -> bool:
    """Tell whether a request came from who has the secret, and lately: for receivers to copy.

    `timestamp` and `signature` are the headers Stoker-Timestamp and Stoker-Signature, `body` the
    bytes as received, before any parsing. The signature is "sha256=" and the hexadecimal
    HMAC-SHA256, keyed by the secret, of the timestamp, a full stop, and the body. `now` is seconds
    since 1970; a request older or newer than `tolerance` seconds may be a replay and is refused;
    within it, a receiver that minds replays compares Stoker-Event-Id with those it has seen.
    Needs `re`, `hmac`, `hashlib`.
    """
    if not re.fullmatch("[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > tolerance:
        return False
    signed = timestamp.encode() + b"." + body
    expected = "sha256=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))
