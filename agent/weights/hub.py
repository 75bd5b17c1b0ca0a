"""The Hub through `huggingface_hub`: access, listing, download."""

from pathlib import Path
from typing import Protocol

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.hf_api import RepoFile

from agent.weights.plan import IGNORE, File, patterns


class Hub(Protocol):
    """One commit of one model. Methods raise whatever `trouble.explain` understands."""

    def check(self) -> None:
        """Raise unless we may download the model."""

    def listing(self) -> tuple[File, ...]:
        """Return all files of the commit."""

    def download(self, directory: Path, *, code: bool) -> None:
        """Fetch what is missing in `directory`."""


class HuggingFace:
    """The real one."""

    def __init__(self, hub: str, repo: str, commit: str, token: str | None) -> None:
        self._hub, self._repo, self._commit = hub, repo, commit
        self._token = token or False  # False = also no token that happens to lie on this machine
        self._api = HfApi(endpoint=hub, token=self._token, library_name="stoker")

    def check(self) -> None:
        """See `Hub`. The metadata of a gated model is public, so only `auth_check` tells."""
        self._api.model_info(self._repo, revision=self._commit, timeout=30)
        self._api.auth_check(self._repo)

    def listing(self) -> tuple[File, ...]:
        """See `Hub`."""
        tree = self._api.list_repo_tree(self._repo, recursive=True, revision=self._commit)
        return tuple(
            File(
                path=entry.path,
                size=entry.size,
                blob=entry.blob_id,
                sha256=entry.lfs.sha256 if entry.lfs else None,
            )
            for entry in tree
            if isinstance(entry, RepoFile)
        )

    def download(self, directory: Path, *, code: bool) -> None:
        """See `Hub`. Complete files in `directory` are not fetched again."""
        snapshot_download(
            self._repo,
            revision=self._commit,
            local_dir=directory,
            allow_patterns=patterns(code=code),
            ignore_patterns=list(IGNORE),
            endpoint=self._hub,
            token=self._token,
            library_name="stoker",
        )
