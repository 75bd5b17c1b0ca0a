"""The deploy's own files, as a run takes them."""

import io
import re
import shutil
import tarfile
from pathlib import Path

import pytest
from pyinfra.api import DeployError

from agent.releases import About
from fleet.operations.release import Laid, LaidReleases, release_current
from fleet.release import tree
from fleet.render import ROOT
from tests.fleet.samples import FakeHost, commands

ABOUT = About(
    id="20261128T000000Z-0123456789", digest="0123456789", at=0, by="ann@desk",
    source="", program="", images=(), models=(), driver="",
)  # fmt: skip


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for name in tree.files():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_tree_is_packed_as_it_was_first_read_and_a_later_edit_is_told(sources: Path) -> None:
    before = tree.digest(sources)
    assert not tree.changed(sources)

    edited = sources / "templates/nginx.conf"
    edited.write_text("# by hand\n")
    assert tree.changed(sources)
    assert tree.digest(sources) == before == tree.digest()
    with tarfile.open(fileobj=io.BytesIO(tree.pack(sources))) as packed:
        member = packed.extractfile("templates/nginx.conf")
        assert member
        assert member.read() == (ROOT / "templates/nginx.conf").read_bytes()

    shutil.copyfile(ROOT / "templates/nginx.conf", edited)
    assert not tree.changed(sources)


def test_what_was_made_of_two_trees_is_no_release(sources: Path) -> None:
    def made() -> list[str]:
        host = FakeHost({LaidReleases: Laid(ids=(ABOUT.id,))}, "gpu-1")
        current = release_current._inner
        return [str(one) for one in commands(host, lambda: current(ABOUT, 3, sources))]

    assert len(made()) == 1
    (sources / "templates/nginx.conf").write_text("# by hand\n")
    said = f"gpu-1: {sources} was changed while this ran; deploy again"
    with pytest.raises(DeployError, match="^" + re.escape(said) + "$"):
        made()
