"""`python -m agent.weights NAME` as systemd runs it, against the sandbox's Hub over HTTP."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from agent import manifest
from agent.errors import ActionError
from agent.spec import weights_path
from agent.weights import lock
from agent.weights.fetch import Fetch, World
from agent.weights.hub import HuggingFace
from agent.weights.lock import Locked
from agent.weights.origin import begun
from agent.weights.plan import File
from agent.weights.session import PATIENCE
from agent.weights.trouble import Asked
from tests.agent.engines.examples import engine
from tests.agent.host_specs import host
from tests.sandbox.hub.faults import Fault
from tests.sandbox.hub.repo import Settings
from tests.sandbox.hub_fixtures import FULL, GATED, LIMITED, PRIVATE, PUBLIC, Site, site

SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        yield running


class Node:
    """A node with the spec of one engine that serves `repo`."""

    def __init__(self, here: Site, repo: str, commit: str | None = None, **more: object) -> None:
        self.here = here
        self.engine = engine("tgi", model=repo, revision=commit or here.commit(repo), **more)
        self.spec = host(here.scratch / "models", {"main": self.engine}, here.endpoint)
        self.directory = Path(weights_path(self.spec.model, self.engine))
        self.partial = self.directory.with_name(self.directory.name + ".partial")

    def listing(self) -> tuple[File, ...]:
        """What the Hub lists."""
        hub = HuggingFace(self.here.endpoint, self.engine.model, self.engine.revision, FULL)
        found = hub.listing()
        self.here.hub.control.log.clear()
        return found

    def lock(self, files: Sequence[File], commit: str | None = None) -> None:
        """Leave an entry of the lock as the deploy does."""
        entry = Locked(
            repo=self.engine.model,
            commit=commit or self.engine.revision,
            parameters={},
            files=tuple(files),
        )
        (self.here.scratch / lock.NAME).write_text(lock.dump([entry]))

    def fetch(
        self,
        token: str | None,
        free: Callable[[Path], int] = lambda _: 10**12,
        patience: float = PATIENCE,
    ) -> list[str]:
        """Fetch in this process; return what was said."""
        said = list[str]()
        asked = Asked(
            hub=self.here.endpoint,
            repo=self.engine.model,
            commit=self.engine.revision,
            token=token is not None,
        )
        hub = HuggingFace(asked.hub, asked.repo, asked.commit, token, patience)
        world = World(origin=hub, free=free, say=said.append, pause=lambda _: None)
        Fetch(asked, self.directory, world, code=False).run()
        return said

    def run(self, token: str) -> subprocess.CompletedProcess[str]:
        """Fetch as the unit does."""
        process = self.start(token)
        out, err = process.communicate()
        return subprocess.CompletedProcess([], process.returncode, out, err)

    def start(self, token: str) -> subprocess.Popen[str]:
        """Start what the unit does; its paths are fixed, so the spec is moved by a tiny program."""
        credentials = self.here.scratch / "credentials"
        credentials.mkdir(exist_ok=True)
        (credentials / "hf-token").write_text(token + "\n" if token else "")
        (self.here.scratch / "host.json").write_bytes(self.spec.dump())
        program = (
            "import sys; from pathlib import Path; from agent.paths import Paths; "
            "from agent.weights.__main__ import run; "
            f"sys.exit(run('main', Paths(etc=Path({str(self.here.scratch)!r}))))"
        )
        return subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "CREDENTIALS_DIRECTORY": str(credentials)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def gets(self) -> list[str]:
        log = self.here.hub.control.log
        return [str(entry["path"]) for entry in log if entry["method"] == "GET"]


def wait_for(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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
        origin=HuggingFace(away.hub, away.repo, away.commit, None),
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


def test_a_fetch_that_was_killed_goes_on_where_it_was(here: Site) -> None:
    # The library hands on pieces of 10 MB.
    with (here.root / PUBLIC / SHARD).open("ab") as shard:
        shard.write(random.Random(1).randbytes(32_000_000))
    node = Node(here, PUBLIC)
    file = next(f for f in node.listing() if f.path == SHARD)
    slow = Fault("slow", path_contains=SHARD, bytes_per_second=10_000_000)
    here.hub.control.faults.add(slow)
    process = node.start("")
    part = begun(node.partial, file)
    wait_for(lambda: part.exists() and part.stat().st_size > 0)
    process.kill()
    process.communicate()
    had = part.stat().st_size
    assert 0 < had < file.size
    assert not node.directory.exists()
    here.hub.control.log.clear()
    done = node.run("")
    assert done.returncode == 0, done.stderr
    [get] = [e for e in here.hub.control.log if e["method"] == "GET" and SHARD in str(e["path"])]
    assert get["range"] == f"bytes={had}-"
    assert (node.directory / SHARD).read_bytes() == (here.root / PUBLIC / SHARD).read_bytes()
    assert manifest.doubt(node.directory, code=False, lock="") is None


def test_what_was_begun_and_damaged_is_found_by_its_hash(here: Site) -> None:
    node = Node(here, PUBLIC)
    file = next(f for f in node.listing() if f.path == SHARD)
    part = begun(node.partial, file)
    part.parent.mkdir(parents=True)
    part.write_bytes(b"\0" * (file.size // 2))
    said = node.fetch(None)
    assert f"{SHARD}: not what the Hub lists; fetching again" in said
    assert (node.directory / SHARD).read_bytes() == (here.root / PUBLIC / SHARD).read_bytes()


def test_xet_storage_that_cannot_be_reached_is_gone_round(here: Site) -> None:
    Settings(xet=True).save(here.root / PUBLIC)
    node = Node(here, PUBLIC)
    done = node.run("")
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if "trying again" in line]
    assert len(said) == 1
    assert said[0].startswith(f"a transfer from {here.endpoint} broke: Xet storage: ")
    assert (node.directory / SHARD).read_bytes() == (here.root / PUBLIC / SHARD).read_bytes()
    assert not (node.directory / ".cache").exists()


def test_a_hub_that_says_nothing_is_not_waited_for_for_ever(here: Site) -> None:
    node = Node(here, PUBLIC)
    for path in ("auth-check", "/tree/"):  # calls that the library makes without a timeout
        here.hub.control.faults.add(Fault("silent", path_contains=path))
    said = node.fetch(None, patience=0.5)
    assert [line for line in said if line.startswith(f"{here.endpoint} does not answer in time")]
    assert manifest.quick_fault(node.directory) is None


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (429, "{hub} limits our requests; trying again in 7 s"),
        (500, "{hub} fails with status 500; trying again in 2 s"),
        (503, "{hub} fails with status 503; trying again in 7 s"),
    ],
)
def test_trouble_of_the_hub_is_said_and_waited_out(here: Site, status: int, sentence: str) -> None:
    node = Node(here, PUBLIC)
    fault = Fault("status", path_contains="auth-check", status=status, retry_after=7)
    here.hub.control.faults.add(fault)
    assert sentence.format(hub=here.endpoint) in node.fetch(None)


def test_weights_are_fetched_as_locked(here: Site) -> None:
    node = Node(here, GATED)
    node.lock(node.listing())
    done = node.run(FULL)
    assert done.returncode == 0, done.stderr
    assert manifest.load(node.directory).lock
    assert not [path for path in node.gets() if "/tree/" in path]


def test_a_hub_with_other_bytes_than_the_lock_is_found_out(here: Site) -> None:
    node = Node(here, PUBLIC)
    files = [
        msgspec.structs.replace(file, sha256="0" * 64) if file.path == SHARD else file
        for file in node.listing()
    ]
    node.lock(files)
    done = node.run("")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"{SHARD}: not what models.lock lists, after a second fetch"
    )
    assert not node.directory.exists()


def test_what_is_not_locked_is_not_fetched(here: Site) -> None:
    node = Node(here, PUBLIC)
    node.lock(node.listing(), commit="d" * 40)
    done = node.run("")
    assert done.returncode == 1
    assert done.stderr == (
        f"{PUBLIC} is not in models.lock at {node.engine.revision}; deploy again\n"
    )
    assert here.hub.control.log == []


def test_everything_that_the_engine_serves_is_fetched(here: Site) -> None:
    adapter = f"{GATED}@{here.commit(GATED)}"
    node = Node(here, PUBLIC, lora_adapters={"tuned": adapter})
    done = node.run(FULL)
    assert done.returncode == 0, done.stderr
    other = node.directory.parents[1] / "stoker--gated" / here.commit(GATED)
    assert manifest.quick_fault(node.directory) is None
    assert manifest.quick_fault(other) is None
    assert [path for path in node.directory.parents[1].iterdir() if path.name[0] == "."] == []


def test_no_room_is_said_before_the_first_byte(here: Site) -> None:
    node = Node(here, PUBLIC)
    with pytest.raises(ActionError, match=r"they need \d+\.\d+ kB .* but 1\.00 kB are free"):
        node.fetch(None, free=lambda _: 1000)
    assert not [path for path in node.gets() if "/resolve/" in path]
