"""Who may see what: the Hub's rules for public, private and gated models, as values.

Facts (huggingface.co): a repository that does not exist and a private one that the reader may not
see give the same answer (401 without a token, 404 with one); an unknown token is refused even for
public models; a gated model's metadata is public, only its files (and ``auth-check``) are guarded.
"""

from __future__ import annotations

import enum
from pathlib import Path

from .errors import HubError
from .repo import Settings


class Reader(enum.Enum):
    """Who asks: nobody known, an account without grants, or an account that may read everything."""

    ANONYMOUS = "anonymous"
    LIMITED = "limited"
    FULL = "full"


class Tokens:
    """Known tokens. File format: one a line, ``TOKEN`` (reads everything) or ``TOKEN limited``."""

    def __init__(self, readers: dict[str, Reader]) -> None:
        self._readers = readers

    @classmethod
    def load(cls, path: Path) -> Tokens:
        readers = {}
        for line in path.read_text().splitlines():
            if line.strip():
                token, _, right = line.strip().partition(" ")
                readers[token] = Reader(right.strip() or "full")
        return cls(readers)

    def reader(self, authorization: str | None) -> Reader:
        """The reader behind an Authorization header; an unknown token is a 401, as on the Hub."""
        if not authorization:
            return Reader.ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        reader = self._readers.get(token.strip()) if scheme.lower() == "bearer" else None
        if reader is None:
            raise HubError(401, "", "Invalid credentials in Authorization header")
        return reader


def unknown_repo(reader: Reader) -> HubError:
    if reader is Reader.ANONYMOUS:
        return HubError(401, "RepoNotFound", "Invalid username or password.")
    return HubError(404, "RepoNotFound", "Repository not found")


def check_metadata(settings: Settings, reader: Reader) -> None:
    """Raise the `HubError` for a reader that may not see that this model exists."""
    if settings.private and reader is not Reader.FULL:
        raise unknown_repo(reader)
    if settings.disabled:
        raise HubError(403, "", "Access to this resource is disabled.")


def check_content(settings: Settings, reader: Reader, repo_id: str) -> None:
    """Raise the `HubError` for a reader that may not download this model's files."""
    check_metadata(settings, reader)
    if not settings.gated or reader is Reader.FULL:
        return
    if reader is Reader.ANONYMOUS:
        message = (
            f"Access to model {repo_id} is restricted. You must be authenticated to access it."
        )
        raise HubError(401, "GatedRepo", message)
    message = f"Access to model {repo_id} is restricted and you are not in the authorized list."
    raise HubError(403, "GatedRepo", message)
