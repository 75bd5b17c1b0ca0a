"""One running hub for the tests of `tests/sandbox/hub`: three tiny models, two tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download

from tests.sandbox.hub import repo
from tests.sandbox.hub.access import Reader, Tokens
from tests.sandbox.hub.app import Hub
from tests.sandbox.hub.local import serve
from tests.sandbox.models import make_tiny

FULL, LIMITED = "hf_full", "hf_limited"
PUBLIC, GATED, PRIVATE = "stoker/tiny-llama", "stoker/gated", "stoker/private"


@dataclass(frozen=True)
class Site:
    """A served root directory, and how the real library reaches it."""

    hub: Hub
    root: Path
    endpoint: str
    scratch: Path

    def api(self, token: str | None = FULL) -> HfApi:
        return HfApi(endpoint=self.endpoint, token=token or False)

    def commit(self, repo_id: str = PUBLIC) -> str:
        return repo.commit_of(self.root / repo_id)

    def download(self, repo_id: str = PUBLIC, token: str | None = FULL, **options: Any) -> Any:
        options = {"revision": self.commit(repo_id), "local_dir": self.scratch / "out", **options}
        return snapshot_download(
            repo_id,
            endpoint=self.endpoint,
            token=token or False,
            cache_dir=self.scratch / "cache",
            max_workers=1,
            **options,
        )


@contextmanager
def site(directory: Path, page_size: int = 1000) -> Iterator[Site]:
    root = directory / "root"
    for repo_id, settings in (
        (PUBLIC, repo.Settings()),
        (GATED, repo.Settings(gated=True)),
        (PRIVATE, repo.Settings(private=True)),
    ):
        make_tiny(root / repo_id)
        settings.save(root / repo_id)
    tokens = Tokens({FULL: Reader.FULL, LIMITED: Reader.LIMITED})
    hub = Hub(root, tokens, page_size)
    with serve(hub) as endpoint:
        yield Site(hub, root, endpoint, directory)
