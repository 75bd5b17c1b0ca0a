"""Signs apt repositories with a key of the fleet's own."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.sandbox import tools
from tests.sandbox.pki import write_private
from tests.sandbox.shell import SandboxError, run

USER = "Stoker sandbox packages"


def ensure_key(secret: Path) -> None:
    """Make a signing key in the file `secret` (0600) unless it is there."""
    if secret.exists():
        return
    with _home() as gpg:
        run([*gpg, "--quick-generate-key", USER, "ed25519", "sign", "never"])
        exported = run([*gpg, "--export-secret-keys", "--armor"])
        write_private(secret, exported.out.encode())


def sign(secret: Path, releases: Sequence[Path], public: Path) -> str:
    """Sign each Release file (InRelease, Release.gpg), write the public key; give its fingerprint.

    Fingerprints are 40 upper-case hex digits.
    """
    with _home() as gpg:
        run([*gpg, "--import", str(secret)])
        for release in releases:
            inline, detached = release.with_name("InRelease"), release.with_name("Release.gpg")
            for target, how in ((inline, "--clearsign"), (detached, "--detach-sign")):
                run([*gpg, "--yes", "--armor", "--output", str(target), how, str(release)])
        public.write_text(run([*gpg, "--export", "--armor"]).out)
        return _fingerprint(run([*gpg, "--list-keys", "--with-colons"]).out)


def _fingerprint(listing: str) -> str:
    for line in listing.splitlines():
        if line.startswith("fpr:"):
            return line.split(":")[9]
    raise SandboxError("gpg lists no fingerprint of the key that signs the sandbox's packages")


@contextmanager
def _home() -> Iterator[list[str]]:
    """Give the start of a gpg command on an empty key ring; its agent ends with the directory."""
    tools.ensure("gpg")
    with tempfile.TemporaryDirectory(prefix="stoker-gpg-") as home:
        batch = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        try:
            yield ["gpg", "--homedir", home, *batch]
        finally:
            run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
