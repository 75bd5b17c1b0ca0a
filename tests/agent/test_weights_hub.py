"""`python -m agent.weights NAME` as systemd runs it, against the sandbox's Hub over HTTP."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent import manifest
from agent.errors import ActionError
from agent.spec import weights_path
from agent.weights.fetch import Fetch, World
from agent.weights.hub import HuggingFace
from agent.weights.trouble import Asked
from tests.agent.engines.examples import engine
from tests.agent.host_specs import host
from tests.sandbox.hub.faults import Fault
from tests.sandbox.hub_fixtures import FULL, GATED, LIMITED, PRIVATE, PUBLIC, Site, site

SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        yield running


class Node:
    """A node with the spec of one engine that serves `repo`."""

    def __init__(self, here: Site, repo: str, commit: str | None = None) -> None:
        self.here = here
        self.engine = engine("tgi", model=repo, revision=commit or here.commit(repo))
        self.spec = host(here.scratch / "models", {"main": self.engine}, here.endpoint)
        self.directory = Path(weights_path(self.spec.model, self.engine))
        self.partial = self.directory.with_name(self.directory.name + ".partial")

    def fetch(self, token: str | None, free: Callable[[Path], int] = lambda _: 10**12) -> list[str]:
        """Fetch in this process; return what was said."""
        said = list[str]()
        asked = Asked(
            hub=self.here.endpoint,
            repo=self.engine.model,
            commit=self.engine.revision,
            token=token is not None,
        )
        hub = HuggingFace(asked.hub, asked.repo, asked.commit, token)
        world = World(hub=hub, free=free, say=said.append, pause=lambda _: None)
        Fetch(asked, self.directory, world, code=False).run()
        return said

    def run(self, token: str) -> subprocess.CompletedProcess[str]:
        """Fetch as the unit does; its paths are fixed, so the spec is moved by a tiny program."""
        credentials = self.here.scratch / "credentials"
        credentials.mkdir(exist_ok=True)
        (credentials / "hf-token").write_text(token + "\n" if token else "")
        (self.here.scratch / "host.json").write_bytes(self.spec.dump())
        program = (
            "import sys; from pathlib import Path; from agent.paths import Paths; "
            "from agent.weights.__main__ import run; "
            f"sys.exit(run('main', Paths(etc=Path({str(self.here.scratch)!r}))))"
        )
        return subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "CREDENTIALS_DIRECTORY": str(credentials)},
            capture_output=True,
            text=True,
            check=False,
        )

    def gets(self) -> list[str]:
        log = self.here.hub.control.log
        return [str(entry["path"]) for entry in log if entry["method"] == "GET"]


def test_the_unit_leaves_verified_weights(here: Site) -> None:
    node = Node(here, GATED)
    done = node.run(FULL)
    assert done.returncode == 0, done.stderr
    assert manifest.quick_fault(node.directory) is None
    for path in manifest.load(node.directory).files:
        assert (node.directory / path).read_bytes() == (here.root / GATED / path).read_bytes()
    assert not [path for path in node.directory.rglob("*") if ".cache" in path.parts]
    assert all(entry["had_token"] for entry in here.hub.control.log)
    assert FULL not in done.stdout + done.stderr


def test_a_second_run_asks_nobody(here: Site) -> None:
    node = Node(here, PUBLIC)
    node.run("")
    here.hub.control.log.clear()
    done = node.run("")
    assert done.returncode == 0
    assert "complete already" in done.stdout
    assert here.hub.control.log == []


@pytest.mark.parametrize(
    ("repo", "token", "words"),
    [
        (PUBLIC, "hf_wrong", "does not accept the token"),
        (GATED, "", "is gated: set model_token_file"),
        (GATED, LIMITED, "is gated and the token's account has no access"),
        (PRIVATE, "", "no public model stoker/private"),
        (PRIVATE, LIMITED, "no model stoker/private that the token may read"),
    ],
)
def test_no_access_is_one_sentence_and_leaves_nothing(
    here: Site, repo: str, token: str, words: str
) -> None:
    node = Node(here, repo)
    done = node.run(token)
    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]
    assert not node.directory.exists()
    assert not node.partial.exists()
    assert not [path for path in node.gets() if "/resolve/" in path]
    if token:
        assert token not in done.stdout + done.stderr


def test_a_commit_that_is_not_there(here: Site) -> None:
    with pytest.raises(ActionError, match="engine_revision"):
        Node(here, PUBLIC, commit="f" * 40).fetch(None)


def test_a_model_that_is_not_there(here: Site) -> None:
    with pytest.raises(ActionError, match="check engine_model"):
        Node(here, "stoker/typo", commit="f" * 40).fetch(FULL)


def test_a_hub_that_is_away(here: Site) -> None:
    node = Node(here, PUBLIC)
    away = Asked(hub="http://127.0.0.1:9", repo=PUBLIC, commit=node.engine.revision, token=False)
    pauses = list[float]()
    world = World(
        hub=HuggingFace(away.hub, away.repo, away.commit, None),
        free=lambda _: 10**12,
        say=lambda _: None,
        pause=pauses.append,
    )
    with pytest.raises(ActionError, match=r"127\.0\.0\.1:9 cannot be reached"):
        Fetch(away, node.directory, world, code=False).run()
    assert len(pauses) > 3


def test_a_transfer_that_breaks_is_taken_up_again(here: Site) -> None:
    node = Node(here, PUBLIC)
    here.hub.control.faults.add(Fault("reset", path_contains=SHARD, times=2))
    said = node.fetch(None)
    assert [line for line in said if "trying again" in line]
    assert manifest.quick_fault(node.directory) is None


def test_a_truncated_body_is_not_taken_for_the_file(here: Site) -> None:
    node = Node(here, PUBLIC)
    here.hub.control.faults.add(Fault("truncate", path_contains=SHARD, times=2))
    node.fetch(None)
    assert len([path for path in node.gets() if SHARD in path]) == 3
    assert (node.directory / SHARD).read_bytes() == (here.root / PUBLIC / SHARD).read_bytes()


def test_a_busy_hub_is_waited_for(here: Site) -> None:
    node = Node(here, PUBLIC)
    here.hub.control.faults.add(Fault("status", path_contains="auth-check", status=429, times=2))
    assert [line for line in node.fetch(None) if "limits our requests" in line]


def test_files_of_an_ended_fetch_are_not_fetched_again(here: Site) -> None:
    node = Node(here, PUBLIC)
    node.fetch(None)
    node.directory.rename(node.partial)
    (node.partial / manifest.NAME).unlink()
    (node.partial / "config.json").unlink()
    here.hub.control.log.clear()
    node.fetch(None)
    assert [path for path in node.gets() if SHARD in path] == []
    assert [path for path in node.gets() if "config.json" in path]


def test_a_damaged_file_of_the_right_size_is_found_and_replaced(here: Site) -> None:
    node = Node(here, PUBLIC)
    node.fetch(None)
    good = (node.directory / SHARD).read_bytes()
    node.directory.rename(node.partial)
    (node.partial / SHARD).write_bytes(b"\0" * len(good))
    node.fetch(None)
    assert (node.directory / SHARD).read_bytes() == good


def test_no_room_is_said_before_the_first_byte(here: Site) -> None:
    node = Node(here, PUBLIC)
    with pytest.raises(ActionError, match=r"they need \d+\.\d+ kB .* but 1\.00 kB are free"):
        node.fetch(None, free=lambda _: 1000)
    assert not [path for path in node.gets() if "/resolve/" in path]
