"""The site that `make docs` builds: strictly, and with nothing that is loaded from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.render import ROOT

# What a browser would fetch by itself; a link that a person follows is none of it.
LOADED = re.compile(
    r"<(?:link|script|img|iframe|source|video|audio)\b[^>]*?\b(?:href|src)=[\"']?(?:https?:)?//",
    re.IGNORECASE,
)
IMPORTED = re.compile(r"@import|url\([\"']?(?:https?:)?//", re.IGNORECASE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(made)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def test_every_page_is_there(site: Path) -> None:
    for name in ("index", "quick-start", "how-to", "configuration", "troubleshooting", "scaling"):
        assert (site / f"{name}.html").is_file()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    looked = list(site.rglob("*.html"))
    assert len(looked) > 30
    for page in looked:
        assert not LOADED.search(page.read_text()), page
    for style in site.rglob("*.css"):
        assert not IMPORTED.search(style.read_text()), style


def test_what_would_be_loaded_is_seen() -> None:
    assert LOADED.search('<link rel="stylesheet" href="https://fonts.example/x.css">')
    assert LOADED.search("<script async src='//cdn.example/x.js'>")
    assert not LOADED.search('<a href="https://kubernetes.io/">')
    assert not LOADED.search('<img src="assets/x.png">')
    assert IMPORTED.search("a{background:url(https://x.example/y.png)}")
