"""A Hub and an inventory that wants models of it, for the tests of `stoker models`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from fleet.render import ROOT
from tests.fleet.samples import IMAGE
from tests.sandbox.hub_fixtures import Site


class Control:
    """A control machine: files of its own, and the command."""

    def __init__(self, site: Site) -> None:
        self.site, self.directory = site, site.scratch / "control"
        self.directory.mkdir()
        self.lock = self.directory / "models.lock"

    def inventory(self, *hosts: dict[str, Any]) -> str:
        """Write an inventory of hosts h1, h2, …; return its path."""
        made = [(f"h{n}", {**self.common(), **data}) for n, data in enumerate(hosts, 1)]
        path = self.directory / "fleet_test.py"
        path.write_text(
            f"import json\nhosts = [tuple(h) for h in json.loads({json.dumps(made)!r})]"
        )
        return str(path)

    def common(self) -> dict[str, Any]:
        """What every host has."""
        return {
            "engine_image": IMAGE,
            "model_hub": self.site.endpoint,
            "model_lock_file": str(self.lock),
        }

    def serves(self, repo: str, **more: Any) -> dict[str, Any]:
        """The data of a host that serves a model at its commit."""
        return {"engine_model": repo, "engine_revision": self.site.commit(repo), **more}

    def token(self, token: str) -> str:
        """Write a token to a file; return its path."""
        path = self.directory / f"token-{token}"
        path.write_text(token + "\n")
        return str(path)

    def stoker(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `stoker`, with what it keeps out of the way of other tests."""
        return subprocess.run(
            [sys.executable, "-m", "fleet.cli", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def gets(self, words: str = "/resolve/") -> list[dict[str, Any]]:
        """What the Hub was asked for, of all paths with the words."""
        return [entry for entry in self.site.hub.control.log if words in str(entry["path"])]


def path_of(site: Site, repo: str) -> Path:
    """Where the Hub has the files of a model."""
    return site.root / repo
