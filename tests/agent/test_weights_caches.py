"""Weights out of a cache of the Hub: what is linked, what is copied, what is left alone."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import manifest
from agent.errors import ActionError
from agent.paths import Paths
from agent.weights import caches
from agent.weights.caches import Take, harmless, snapshot
from agent.weights.command import main
from tests.agent.engines.examples import engine
from tests.agent.host_specs import host
from tests.agent.test_weights_fetch import ASKED, CONTENT, WEIGHTS, Site

TOP = "models--org--name"


class Cache:
    """A cache as huggingface_hub lays it; `shared` = as 2.x does with what came from Xet."""

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self.path, self.snapshot = path, path / TOP / "snapshots" / ASKED.commit
        self.snapshot.mkdir(parents=True)
        (path / TOP / "blobs").mkdir()
        for name, content in CONTENT.items():
            blob = path / TOP / "blobs" / f"etag-{name}"
            real = path / "blobs" / "ab" / name if shared else blob
            real.parent.mkdir(parents=True, exist_ok=True)
            real.write_bytes(content)
            real.chmod(0o644)
            if shared:
                blob.symlink_to(Path("../../blobs/ab") / name)
            (self.snapshot / name).symlink_to(Path("../../blobs") / blob.name)

    def real(self, name: str = WEIGHTS) -> Path:
        return (self.snapshot / name).resolve(strict=True)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "models")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "data")


def take(
    cache: Cache, site: Site, *, code: bool = False, free: Callable[[Path], int] = lambda _: 10**9
) -> list[str]:
    said = list[str]()
    Take(cache.path, site.directory, free, said.append).run("org/name", ASKED.commit, code=code)
    return said


@pytest.mark.parametrize("shared", [False, True])
def test_nothing_of_it_is_downloaded(site: Site, tmp_path: Path, shared: bool) -> None:
    cache = Cache(tmp_path / "other", shared=shared)
    said = take(cache, site)
    assert said == [
        f"org/name@{'c' * 12} from {cache.path}: 9 bytes linked, 0 bytes copied; to be verified"
    ]
    site.fetch()
    assert site.hub.fetched == []
    assert manifest.quick_fault(site.directory) is None
    assert (site.directory / WEIGHTS).samefile(cache.real())
    assert cache.real().stat().st_mode & 0o777 == 0o644
    assert not (site.directory / "model.py").exists()


def test_code_is_taken_where_it_is_trusted(site: Site, cache: Cache) -> None:
    take(cache, site, code=True)
    site.fetch(code=True)
    assert site.hub.fetched == []


def test_a_corrupt_file_is_fetched_again_and_the_cache_stays(site: Site, cache: Cache) -> None:
    corrupt = CONTENT[WEIGHTS][::-1]
    cache.real().write_bytes(corrupt)
    take(cache, site)
    site.fetch()
    assert site.hub.fetched == [WEIGHTS]
    assert (site.directory / WEIGHTS).read_bytes() == CONTENT[WEIGHTS]
    assert cache.real().read_bytes() == corrupt


def test_only_what_is_missing_is_fetched(site: Site, cache: Cache) -> None:
    cache.real("config.json").unlink()
    take(cache, site)
    site.fetch()
    assert site.hub.fetched == ["config.json"]


@pytest.mark.parametrize("mode", [0o664, 0o666, 0o600])
def test_what_others_can_write_or_not_read_is_copied(site: Site, cache: Cache, mode: int) -> None:
    cache.real().chmod(mode)
    assert "2 bytes linked, 7 bytes copied" in take(cache, site)[0]
    site.fetch()
    assert site.hub.fetched == []
    assert not (site.directory / WEIGHTS).samefile(cache.real())
    assert cache.real().stat().st_mode & 0o777 == mode
    assert (site.directory / WEIGHTS).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("mode", "owner", "said"),
    [
        (stat.S_IFREG | 0o644, 0, True),
        (stat.S_IFREG | 0o444, 0, True),
        (stat.S_IFREG | 0o644, 1000, False),
        (stat.S_IFREG | 0o660, 0, False),
        (stat.S_IFREG | 0o4644, 0, False),
        (stat.S_IFLNK | 0o644, 0, False),
        (stat.S_IFIFO | 0o644, 0, False),
    ],
)
def test_only_what_root_alone_can_write_is_linked(mode: int, owner: int, said: bool) -> None:
    seen = os.stat_result((mode, 1, 1, 1, owner, 0, 7, 0, 0, 0))
    assert harmless(seen, ours=0) is said


def test_a_copy_that_does_not_fit_is_not_begun(site: Site, cache: Cache) -> None:
    cache.real().chmod(0o666)
    said = take(cache, site, free=lambda _: 3)
    assert "no room for the weights" in said[0]
    assert "2 bytes linked, 0 bytes copied" in said[1]
    assert not (site.partial / WEIGHTS).exists()


def test_a_link_out_of_the_cache_is_not_followed(site: Site, cache: Cache, tmp_path: Path) -> None:
    secret = tmp_path / "shadow"
    secret.write_bytes(CONTENT[WEIGHTS])
    cache.real().unlink()
    (cache.snapshot / WEIGHTS).unlink()
    (cache.snapshot / WEIGHTS).symlink_to(secret)
    assert WEIGHTS not in snapshot(cache.path, "org/name", ASKED.commit)
    take(cache, site)
    assert not (site.partial / WEIGHTS).exists()


def test_another_commit_is_of_no_use(site: Site, cache: Cache) -> None:
    cache.snapshot.rename(cache.snapshot.with_name("d" * 40))
    assert take(cache, site) == []
    assert not site.partial.exists()


def test_complete_weights_are_left_alone(site: Site, cache: Cache) -> None:
    site.fetch()
    assert take(cache, site) == []


def test_what_was_fetched_already_is_kept(site: Site, cache: Cache) -> None:
    site.partial.mkdir(parents=True)
    (site.partial / WEIGHTS).write_bytes(CONTENT[WEIGHTS])
    assert "2 bytes linked" in take(cache, site)[0]
    assert not (site.partial / WEIGHTS).samefile(cache.real())


def test_the_command_takes_what_an_engine_needs(
    tmp_path: Path, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    made = host(tmp_path, {"main": engine("tgi", model="org/name", revision=ASKED.commit)})
    (tmp_path / "host.json").write_bytes(made.dump())
    assert main(["use", "main", str(cache.path)], Paths(etc=tmp_path)) == 0
    assert "9 bytes linked" in capsys.readouterr().out
    assert (Path(made.model.root) / "org--name" / f"{ASKED.commit}.partial" / WEIGHTS).exists()


def test_an_unreadable_cache_is_one_sentence(cache: Cache, site: Site) -> None:
    blocked = site.directory.parent
    blocked.parent.mkdir(parents=True)
    blocked.write_text("no directory")
    with pytest.raises(ActionError, match=str(cache.path)):
        caches.take(
            [cache.path],
            {("org/name", ASKED.commit): site.directory},
            lambda _: 9,
            print,
            code=True,
        )
