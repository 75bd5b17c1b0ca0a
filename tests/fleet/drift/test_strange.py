"""What no operation puts right."""

import shutil
from pathlib import Path

import msgspec
import pytest

from agent.drift.manifest import File, Manifest
from agent.releases import About
from fleet.drift import strange
from fleet.release import tree
from fleet.render import ROOT

OWN = "/usr/lib/systemd/system/nginx.service"
OURS = "/etc/systemd/system/nginx.service.d/stoker.conf"
THEIRS = "/etc/systemd/system/nginx.service.d/zz.conf"
FILE = File(sha256="a", mode="644", user="root", group="root")
FORMER = Manifest(
    files={"/etc/stoker/tls.crt": FILE, OURS: FILE},
    composed={"nginx.service": (OWN, OURS)},
)
LAID = About(
    id="20260101T000000Z-0123456789", digest="0123456789", at=1.0, by="mia@x", source="abc",
    program="p", images=("i",), models=("m",), driver="production",
)  # fmt: skip


def unit(own: str, *drop_ins: str, load: str = "loaded") -> dict[str, dict[str, str]]:
    state = {"LoadState": load, "FragmentPath": own, "DropInPaths": " ".join(drop_ins)}
    return {"nginx.service": state}


def test_units_as_they_were_left_are_nothing() -> None:
    assert list(strange.units(FORMER, unit(OWN, OURS))) == []
    assert list(strange.units(FORMER, unit(OWN))) == []  # ours is missing: an operation says so
    assert list(strange.units(FORMER, unit("", load="masked"))) == []


def test_drop_ins_and_units_of_others_are_told_with_their_path() -> None:
    [more] = strange.units(FORMER, unit(OWN, OURS, THEIRS))
    assert more.found == f"{THEIRS} came since"
    [other] = strange.units(FORMER, unit("/etc/systemd/system/nginx.service", OURS))
    assert "is made of /etc/systemd/system/nginx.service" in other.found
    assert more.left
    assert other.left


def test_files_that_only_a_look_knows() -> None:
    measured = {"/etc/stoker/tls.crt"}
    assert list(strange.files(FORMER, measured, {"/etc/stoker/tls.crt": FILE})) == []
    assert list(strange.files(FORMER, set(), {})) == []
    [gone] = strange.files(FORMER, measured, {})
    assert gone.found == "it is gone"
    changed = msgspec.structs.replace(FILE, mode="666")
    [one] = strange.files(FORMER, measured, {"/etc/stoker/tls.crt": changed})
    assert "mode 666" in one.found


def test_a_release_is_known_by_what_it_was_made_of() -> None:
    made = msgspec.structs.replace(LAID, id="now", at=9.0, by="root@node", source="")
    assert list(strange.release(LAID, LAID.id, made)) == []


@pytest.mark.parametrize("part", ["digest", "program", "images", "models", "driver"])
def test_whatever_of_a_release_was_changed(part: str) -> None:
    value = ("other",) if part in {"images", "models"} else "other"
    made = msgspec.structs.replace(LAID, **{part: value})
    assert len(list(strange.release(LAID, LAID.id, made))) == 1


def test_a_release_in_the_place_of_another() -> None:
    assert len(list(strange.release(LAID, "20260101T000001Z-0123456789", LAID))) == 1
    both = msgspec.structs.replace(LAID, digest="9999999999")
    assert len(list(strange.release(both, LAID.id, both))) == 1


def test_the_digest_of_a_tree_changes_with_any_file_of_it_and_with_one_more(tmp_path: Path) -> None:
    for number in range(3):
        root = tmp_path / str(number)
        for name in tree.files():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name)
    changed, more = tmp_path / "1" / "fleet" / "rollout.py", tmp_path / "2" / "fleet" / "more.py"
    changed.write_text(changed.read_text() + "# by hand\n")
    more.write_text("1\n")
    assert len({tree.digest(tmp_path / str(number)) for number in range(3)}) == 3
    assert tree.digest(tmp_path / "0") == tree.digest()
