"""The directory of the operator's own certificate authority, on the control machine.

`ca.crt` is what clients are given; `ca.key` signs, and never leaves this machine. Beside them lie
each host's certificate and key. One is made anew when it ends within 30 days, is not for the host's
names any more, or was signed by another authority.
"""

import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from fleet import local_ca
from fleet.local_ca import Pair

CA, CA_KEY = "ca.crt", "ca.key"

_lock = Lock()  # hosts are looked at side by side


def faults(directory: Path) -> list[str]:
    """Return a sentence when the directory cannot be used; one that is not there will be made."""
    try:
        said = _fault(directory) if directory.exists() else ""
    except OSError as error:
        said = str(error.strerror)
    return [f"gateway_local_ca_dir = {str(directory)!r}: {said}"] if said else []


def pair(
    directory: Path, host: str, names: Sequence[str], now: datetime | None = None, *, keep: bool
) -> Pair:
    """Return the host's certificate, signed by the authority, and its key.

    `keep`: what has to be made is written down; else it is made for this answer alone.
    """
    now = now or datetime.now(UTC)
    with _lock:
        authority = _authority(directory, now, keep=keep)
        known = _read(directory / f"{host}.crt", directory / f"{host}.key")
        if known is not None and local_ca.good(known, authority, names, now):
            return known
        made = local_ca.signed(authority, host, names, now)
        if keep:
            _write(directory / f"{host}.key", made.key, 0o600)
            _write(directory / f"{host}.crt", made.certificate, 0o644)
        return made


def trusted(directory: Path, now: datetime | None = None, *, keep: bool) -> bytes:
    """Return the authority's own certificate; with `keep` one that has to be made is kept."""
    with _lock:
        return _authority(directory, now or datetime.now(UTC), keep=keep).certificate


def _fault(directory: Path) -> str:
    if not directory.is_dir():
        return "is not a directory"
    secret, public = directory / CA_KEY, directory / CA
    if secret.exists() != public.exists():
        lacks = CA if secret.exists() else CA_KEY
        return f"holds no {lacks} any more; put it back, or remove the other for a new authority"
    for path in (directory, secret):
        if path.exists() and path.stat().st_mode & (stat.S_IRWXO | stat.S_IRWXG):
            return f"others may read {path.name}; chmod {700 if path.is_dir() else 600} it"
    known = _read(public, secret)
    said = local_ca.wrong(known, datetime.now(UTC)) if known else ""
    return f"{CA} {said}" if said else ""


def _authority(directory: Path, now: datetime, *, keep: bool) -> Pair:
    if known := _read(directory / CA, directory / CA_KEY):
        return known
    made = local_ca.authority(now)
    if keep:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(directory / CA_KEY, made.key, 0o600)
        _write(directory / CA, made.certificate, 0o644)
    return made


def _read(certificate: Path, key: Path) -> Pair | None:
    try:
        return Pair(certificate.read_bytes(), key.read_bytes())
    except FileNotFoundError:
        return None


def _write(path: Path, content: bytes, mode: int) -> None:
    """Put a file in place at once, with its mode from its first byte on."""
    new = path.with_name(f"{path.name}.stoker-new")
    new.unlink(missing_ok=True)
    new.touch(mode=mode)
    new.write_bytes(content)
    new.replace(path)
