"""Which models the hosts of an inventory want, from which Hub, with which token."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from agent.errors import ActionError
from agent.spec import HostSpec


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One commit of one model, and the hosts that want it; `code` = with its Python files."""

    hub: str
    repo: str
    commit: str
    token_file: str | None
    lock_file: str | None
    code: bool
    hosts: tuple[str, ...]

    @property
    def token(self) -> str | None:
        """Read the Hub token; None when there is none; raise `ActionError`."""
        if self.token_file is None:
            return None
        try:
            return Path(self.token_file).read_text().strip() or None
        except OSError as error:
            raise ActionError(f"model_token_file = {self.token_file!r}: {error}") from error


def by_hosts(specs: Iterable[HostSpec], hub: str | None = None) -> tuple[Wanted, ...]:
    """Return what the hosts want, sorted; `hub` takes the place of every `model_hub`. Pure."""
    found: dict[tuple[str | None, ...], dict[str, bool]] = {}
    for spec in specs:
        model = spec.model
        for engine in spec.engines.values():
            for repo, commit in engine.repositories:
                key = (repo, commit, hub or model.hub, model.token_file, model.lock_file)
                hosts = found.setdefault(key, {})
                hosts[spec.name] = hosts.get(spec.name, False) or engine.trust_remote_code
    return tuple(
        Wanted(
            repo=str(repo),
            commit=str(commit),
            hub=str(asked),
            token_file=token,
            lock_file=lock,
            code=any(hosts.values()),
            hosts=tuple(hosts),
        )
        for (repo, commit, asked, token, lock), hosts in sorted(
            found.items(), key=lambda item: [str(part) for part in item[0]]
        )
    )
