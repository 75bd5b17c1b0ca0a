"""Retries, second fetches and locks, against a Hub in memory."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx2
import msgspec
import pytest

from agent import manifest
from agent.errors import ActionError
from agent.weights.fetch import Fetch, World
from agent.weights.lock import Locked
from agent.weights.origin import begun
from agent.weights.patience import DELAYS, LONGEST
from agent.weights.plan import File
from agent.weights.trouble import Asked
from agent.weights.verify import verify
from tests.agent.test_weights_trouble import status

ASKED = Asked(hub="https://hub.example", repo="org/name", commit="c" * 40, token=False)
CONTENT = {"a.safetensors": b"weights", "config.json": b"{}", "model.py": b"code"}


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


WEIGHTS = "a.safetensors"
LISTING = tuple(
    File(
        path=path,
        size=len(content),
        blob=blob(content),
        sha256=hashlib.sha256(content).hexdigest() if path.endswith("safetensors") else None,
    )
    for path, content in CONTENT.items()
)


class FakeHub:
    """`troubles` are raised by the next downloads; the next `spoilt` ones bring wrong bytes."""

    def __init__(self) -> None:
        self.content = dict(CONTENT)
        self.troubles: list[Exception] = []
        self.spoilt = 0
        self.fetched: list[str] = []
        self.listed = 0
        self.refusal: Exception | None = None

    def check(self) -> None:
        if self.refusal:
            raise self.refusal

    def listing(self) -> tuple[File, ...]:
        self.listed += 1
        return tuple(file for file in LISTING if file.path in self.content)

    def bring(self, directory: Path, files: Sequence[File]) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        for file in files:
            if not (directory / file.path).exists():
                self.fetched.append(file.path)
                good = self.content[file.path]
                (directory / file.path).write_bytes(good[::-1] if self.spoilt else good)
        self.spoilt = max(0, self.spoilt - 1)


class Site:
    def __init__(self, directory: Path) -> None:
        self.hub = FakeHub()
        self.directory = directory / "org--name" / ASKED.commit
        self.said: list[str] = []
        self.pauses: list[float] = []
        self.free: Callable[[Path], int] = lambda _: 10**9

    @property
    def partial(self) -> Path:
        return self.directory.with_name(ASKED.commit + ".partial")

    def fetch(self, *, code: bool = False, locked: Locked | None = None) -> None:
        world = World(
            origin=self.hub, free=self.free, say=self.said.append, pause=self.pauses.append
        )
        Fetch(ASKED, self.directory, world, code=code, locked=locked).run()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_leaves_the_files_and_a_manifest_and_nothing_else(site: Site) -> None:
    site.fetch()
    left = {path.name for path in site.directory.iterdir()}
    assert left == {"a.safetensors", "config.json", manifest.NAME}
    made = manifest.load(site.directory)
    assert made.files["a.safetensors"].sha256 == hashlib.sha256(b"weights").hexdigest()
    assert (made.repo, made.commit, made.size) == ("org/name", ASKED.commit, 9)
    assert not site.directory.with_name(ASKED.commit + ".partial").exists()


def test_complete_weights_ask_nobody(site: Site) -> None:
    site.fetch()
    site.hub.troubles = [AssertionError("the Hub was asked")]
    site.fetch()
    assert "complete already" in site.said[-1]


def test_a_file_that_was_cut_off_is_fetched_again_alone(site: Site) -> None:
    site.fetch()
    (site.directory / "a.safetensors").write_bytes(b"weig")
    site.hub.fetched.clear()
    site.fetch()
    assert site.hub.fetched == ["a.safetensors"]
    assert manifest.quick_fault(site.directory) is None


def test_what_cannot_be_fetched_anew_is_not_taken_away(site: Site) -> None:
    """A node has no token: what an engine may serve stays, and is good again once it is healed."""
    site.fetch()
    (site.directory / "a.safetensors").write_bytes(b"weig")
    site.hub.refusal = status(403)
    with pytest.raises(ActionError):
        site.fetch()
    assert (site.directory / "config.json").exists()
    assert not site.partial.exists()
    (site.directory / "a.safetensors").write_bytes(b"weights")
    site.fetch()
    assert site.said[-1].endswith("is as it should be")


def test_code_is_added_once_it_is_trusted(site: Site) -> None:
    site.fetch()
    site.fetch(code=True)
    assert (site.directory / "model.py").read_bytes() == b"code"
    site.hub.fetched.clear()
    site.fetch(code=False)
    assert site.hub.fetched == []


def test_an_interrupted_fetch_goes_on_with_what_is_there(site: Site) -> None:
    site.hub.troubles = [KeyError("killed")]
    with pytest.raises(ActionError):
        site.fetch()
    (site.partial / "a.safetensors").write_bytes(b"weights")
    site.fetch()
    assert site.hub.fetched == ["config.json"]


def test_passing_trouble_is_waited_out(site: Site) -> None:
    site.hub.troubles = [httpx2.ConnectError("refused"), httpx2.ReadError("reset")]
    site.fetch()
    assert site.pauses == [*DELAYS[:2]]
    assert manifest.quick_fault(site.directory) is None


def test_trouble_that_does_not_pass_is_given_up(site: Site) -> None:
    site.hub.troubles = [httpx2.ConnectError("refused") for _ in range(99)]
    with pytest.raises(ActionError, match=r"hub\.example cannot be reached"):
        site.fetch()
    assert site.pauses == [*DELAYS]


def test_a_file_that_came_wrong_is_fetched_once_more(site: Site) -> None:
    site.hub.spoilt = 1
    site.fetch()
    assert site.hub.fetched.count("a.safetensors") == 2
    assert (site.directory / "a.safetensors").read_bytes() == b"weights"


def test_a_file_that_comes_wrong_twice_is_never_served(site: Site) -> None:
    site.hub.spoilt = 2
    with pytest.raises(ActionError, match=r"a\.safetensors.*after a second fetch"):
        site.fetch()
    assert not site.directory.exists()


def test_a_disk_that_is_too_small_is_said_before_the_first_byte(site: Site) -> None:
    site.free = lambda _: 9
    with pytest.raises(ActionError, match="no room for the weights"):
        site.fetch()
    assert site.hub.fetched == []


def test_pickled_weights_are_refused(site: Site) -> None:
    del site.hub.content["a.safetensors"]
    with pytest.raises(ActionError, match=r"no \.safetensors"):
        site.fetch()


@pytest.mark.parametrize("path", CONTENT)
def test_one_flipped_bit_is_found_in_any_file(tmp_path: Path, path: str) -> None:
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    assert verify(tmp_path, LISTING)[1] == []
    flipped = bytearray(CONTENT[path])
    flipped[0] ^= 1
    (tmp_path / path).write_bytes(flipped)
    assert verify(tmp_path, LISTING)[1] == [path]


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    assert verify(tmp_path, LISTING)[1] == [*CONTENT]


LOCKED = Locked(repo=ASKED.repo, commit=ASKED.commit, parameters={}, files=LISTING)


def test_a_lock_is_believed_and_not_the_hub(site: Site) -> None:
    site.fetch(locked=LOCKED)
    assert site.hub.listed == 0
    assert manifest.load(site.directory).lock == LOCKED.digest


def test_what_differs_from_the_lock_is_never_served(site: Site) -> None:
    site.hub.content[WEIGHTS] = b"WEIGHTS"
    with pytest.raises(ActionError) as refused:
        site.fetch(locked=LOCKED)
    assert str(refused.value) == ("a.safetensors: not what models.lock lists, after a second fetch")
    assert not site.directory.exists()


def test_weights_from_before_the_lock_are_verified_where_they_lie(site: Site) -> None:
    site.fetch()
    inode = site.directory.stat().st_ino
    site.hub.fetched.clear()
    site.fetch(locked=LOCKED)
    assert site.hub.fetched == []
    assert site.directory.stat().st_ino == inode  # it was not moved from under an engine
    assert manifest.load(site.directory).lock == LOCKED.digest
    site.hub.troubles = [AssertionError("the Hub was asked")]
    site.fetch(locked=LOCKED)
    assert "complete already" in site.said[-1]


def test_weights_from_before_the_lock_that_differ_are_replaced(site: Site) -> None:
    site.hub.spoilt = 0
    site.fetch()
    other = [*LISTING]
    other[0] = msgspec.structs.replace(LISTING[0], sha256=hashlib.sha256(b"WEIGHTS").hexdigest())
    site.hub.content[WEIGHTS] = b"WEIGHTS"
    site.fetch(locked=msgspec.structs.replace(LOCKED, files=tuple(other)))
    assert (site.directory / WEIGHTS).read_bytes() == b"WEIGHTS"


def test_a_file_that_was_written_to_is_hashed_again(site: Site) -> None:
    site.fetch()
    (site.directory / WEIGHTS).write_bytes(b"WEIGHTS")
    site.fetch()
    assert site.hub.fetched.count(WEIGHTS) == 2
    assert (site.directory / WEIGHTS).read_bytes() == b"weights"
    (site.directory / WEIGHTS).touch()
    site.hub.troubles = [AssertionError("the Hub was asked")]
    site.fetch()
    assert "is as it should be" in site.said[-1]
    assert manifest.doubt(site.directory, code=False, lock="") is None


def test_what_was_begun_counts_as_there(site: Site) -> None:
    part = begun(site.partial, LISTING[0])
    part.parent.mkdir(parents=True)
    part.write_bytes(b"weigh")
    site.free = lambda _: 5  # two of weights, two of config.json, and the tenth to spare
    site.fetch()
    assert manifest.quick_fault(site.directory) is None


def test_what_a_killed_download_left_is_swept_before_the_disk_is_measured(site: Site) -> None:
    left = site.partial / ".cache" / "huggingface" / "download" / "x.0f1e2d.incomplete"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"gigabytes")

    def free(directory: Path) -> int:
        assert not left.exists()
        return 10**9

    site.free = free
    site.fetch()
    assert not (site.directory / ".cache").exists()


def test_no_file_that_is_not_listed_stays(site: Site) -> None:
    (site.partial / "sub").mkdir(parents=True)
    (site.partial / "sub" / "evil.json").write_text("{}")
    site.fetch()
    assert {path.name for path in site.directory.iterdir()} == {
        WEIGHTS, "config.json", manifest.NAME,
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/etc/x.json", "a/../../x.json"])
def test_no_file_is_written_outside(site: Site, path: str) -> None:
    files = (*LISTING, File(path=path, size=1, blob="b"))
    with pytest.raises(ActionError, match="outside of its own directory"):
        site.fetch(locked=msgspec.structs.replace(LOCKED, files=files))
    assert site.hub.fetched == []


def test_the_hub_says_how_long_to_wait_and_we_do(site: Site) -> None:
    site.hub.troubles = [status(429, RateLimit='"api";r=0;t=290'), status(429), status(503)]
    site.hub.troubles.append(status(429, **{"Retry-After": "9999"}))
    site.fetch()
    assert site.pauses == [290, DELAYS[1], DELAYS[2], LONGEST]
