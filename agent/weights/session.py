"""Lets no request of `huggingface_hub` wait for ever.

Some of its calls (`auth_check`, `list_repo_tree`; 2.4.0) ask without any timeout: a Hub that takes
the connection and says nothing would hold a fetch until systemd ends it hours later.
"""

from functools import lru_cache

from httpx2 import Client, Request
from huggingface_hub import set_client_factory
from huggingface_hub.utils._http import default_client_factory

PATIENCE = 30.0  # seconds for a connection, and between two pieces of an answer
KINDS = ("connect", "read", "write", "pool")


@lru_cache(maxsize=1)  # it holds for the whole process: done again only when it changes
def limit_waits(patience: float) -> None:
    """Give every request from now on a timeout, unless the library set a shorter one itself."""

    def limit(request: Request) -> None:
        set_so_far = request.extensions.get("timeout", {})
        limits = {kind: set_so_far.get(kind) or patience for kind in KINDS}
        request.extensions = {**request.extensions, "timeout": limits}

    def client() -> Client:
        made = default_client_factory()
        hooks = made.event_hooks
        made.event_hooks = {**hooks, "request": [*hooks["request"], limit]}
        return made

    set_client_factory(client)
