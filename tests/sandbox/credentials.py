"""Generated secrets of a fleet: SSH keys, the gateway's API key, the Hub token."""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.sandbox.pki import write_private

TOKENS = (("api-key", "sk-", 32), ("hf-token", "hf_", 17), ("hf-token-limited", "hf_", 17))


def ensure_tokens(directory: Path) -> None:
    """Make `api-key`, `hf-token` and `hf-token-limited` unless they are there.

    Each is one value without a newline (0600). The limited token is a valid account that has not
    been granted any gated model.
    """
    for name, prefix, size in TOKENS:
        if not (directory / name).exists():
            write_private(directory / name, (prefix + secrets.token_hex(size)).encode())


def ensure_ssh_key(private: Path, comment: str) -> str:
    """Make an ed25519 key pair (`private` and `private.pub`); give the public line."""
    public = private.with_name(private.name + ".pub")
    if not (private.exists() and public.exists()):
        private.parent.mkdir(parents=True, exist_ok=True)
        key = ed25519.Ed25519PrivateKey.generate()
        write_private(
            private,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            ),
        )
        line = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        public.write_text(f"{line.decode()} {comment}\n")
    return public.read_text().strip()
