"""Secrets that other users of this host can read."""

import re
from collections.abc import Iterator

import msgspec

from agent.doctor.finding import Finding, fault, warning
from agent.doctor.secrets import hidden
from agent.doctor.seen import Seen
from agent.spec import HostSpec

OURS = ("/etc/stoker/secrets/**", "/run/stoker/secrets/**", "/etc/letsencrypt/live/*/privkey.pem")
OTHERS = 0o077  # no bit of it: group and others
TOKENS = ("/root/.cache/huggingface/token", "/home/*/.cache/huggingface/token")
# Where tutorials put tokens: environment files, compose files' .env, units.
PLACES = (
    "/etc/default/*",
    "/etc/environment",
    "/etc/*.env",
    "/opt/*/.env",
    "/opt/*/*.env",
    "/root/.env",
    "/root/*.env",
    "/home/*/.env",
    "/home/*/*.env",
    "/srv/*/.env",
    "/etc/systemd/system/*.service",
    "/etc/systemd/system/*.service.d/*.conf",
)
_PAIR = re.compile(r"^\s*(?:export\s+|-?Environment=\"?)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$")


class Exposed(msgspec.Struct, frozen=True, kw_only=True):
    """A file that others may read; `variables` in it that look like secrets."""

    path: str
    mode: int
    user: int = 0
    variables: tuple[str, ...] = ()


class SecretFiles:
    """Are the secrets that we laid root's alone?"""

    name = "secret_files"

    def read(self, seen: Seen, _spec: HostSpec | None) -> tuple[Exposed, ...]:
        """Look at the mode of each of our secrets."""
        found = []
        for path in (path for pattern in OURS for path in seen.node.paths(pattern)):
            look = seen.node.look(path)
            if look and (look.mode & OTHERS or look.user):
                found.append(Exposed(path=path.rstrip("/"), mode=look.mode, user=look.user))
        return tuple(found)

    def judge(
        self,
        reading: tuple[Exposed, ...],
        _spec: HostSpec | None,
        _now: float,
    ) -> Iterator[Finding]:
        """A secret is root's, and nobody else reads it; replace one that was readable."""
        for one in reading:
            who = "is not root's" if one.user else f"is readable by others (mode {one.mode:o})"
            directory = one.path.endswith("/secrets")
            yield fault(
                f"{one.path} {who}",
                f"chown root:root {one.path}; chmod {'700' if directory else '600'} {one.path}; "
                "then replace what was in it",
            )


class ForeignSecrets:
    """Do tokens lie in files that every user of the host can read?"""

    name = "foreign_secrets"

    def read(self, seen: Seen, _spec: HostSpec | None) -> tuple[Exposed, ...]:
        """Look through the usual places; values are dropped at once."""
        node, found = seen.node, []
        for path in dict.fromkeys(path for pattern in PLACES for path in node.paths(pattern)):
            look = node.look(path)
            if look is None or look.directory or look.shut or not look.mode & 0o004:
                continue
            if variables := tuple(_secrets(node.text(path) or "")):
                found.append(Exposed(path=path, mode=look.mode, variables=variables))
        for path in (path for pattern in TOKENS for path in node.paths(pattern)):
            look = node.look(path)
            if look and look.mode & 0o004 and not look.shut:
                found.append(Exposed(path=path, mode=look.mode, variables=("a Hub token",)))
        return tuple(found)

    def judge(
        self,
        reading: tuple[Exposed, ...],
        _spec: HostSpec | None,
        _now: float,
    ) -> Iterator[Finding]:
        """Name the variables, never their values."""
        for one in reading:
            yield warning(
                f"{one.path} holds {', '.join(one.variables)} and every user may read it "
                f"(mode {one.mode:o})",
                f"chmod 600 {one.path}; engines need no token; replace the one that was readable",
            )


def _secrets(text: str) -> Iterator[str]:
    for line in text.splitlines():
        found = _PAIR.match(line)
        if found and hidden(found[1], found[2]):
            yield found[1]
