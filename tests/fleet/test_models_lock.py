"""`stoker models lock`, over the real client against the sandbox's Hub."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.models import lockfile
from tests.fleet.models_site import Control
from tests.sandbox.hub.describe import safetensors_header
from tests.sandbox.hub_fixtures import FULL, GATED, LIMITED, PUBLIC, site


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    with site(tmp_path) as running:
        yield Control(running)


def parameters(directory: Path) -> int:
    """The number of parameters in a model's own files."""
    headers = [safetensors_header(path) for path in directory.glob("*.safetensors")]
    shapes = [t["shape"] for h in headers for name, t in h.items() if name != "__metadata__"]
    return sum(map(math.prod, shapes))


def test_it_writes_down_every_file_that_may_be_served(control: Control) -> None:
    source = control.site.root / PUBLIC
    (source / "modeling_x.py").write_text("pass\n")
    (source / "pytorch_model.bin").write_bytes(b"pickle")
    inventory = control.inventory(control.serves(PUBLIC), control.serves(PUBLIC))
    done = control.stoker("models", "lock", inventory)
    assert done.returncode == 0, done.stderr
    [entry] = lockfile.load(control.lock.read_text())
    assert (entry.repo, entry.commit) == (PUBLIC, control.site.commit())
    assert {file.path: file.size for file in entry.files} == {
        path.name: path.stat().st_size
        for path in source.iterdir()
        if path.name not in {"repo.json", "pytorch_model.bin"}
    }
    count = parameters(source)
    assert entry.parameters == {"BF16": count}
    assert f"{len(entry.files)} files" in done.stdout
    assert f"parameters: {count} BF16" in done.stdout
    assert f"wrote {control.lock}: put it under version control" in done.stdout


def test_a_second_time_changes_not_a_byte(control: Control) -> None:
    inventory = control.inventory(control.serves(PUBLIC))
    control.stoker("models", "lock", inventory)
    before = control.lock.stat().st_mtime_ns
    done = control.stoker("models", "lock", inventory)
    assert f"{control.lock} is as it was" in done.stdout
    assert control.lock.stat().st_mtime_ns == before


def test_what_no_host_wants_any_more_leaves_the_lock(control: Control) -> None:
    control.stoker("models", "lock", control.inventory(control.serves(PUBLIC)))
    token = control.token(FULL)
    inventory = control.inventory(control.serves(GATED, model_token_file=token))
    done = control.stoker("models", "lock", inventory)
    assert [entry.repo for entry in lockfile.load(control.lock.read_text())] == [GATED]
    assert FULL not in done.stdout + done.stderr + control.lock.read_text()


def test_without_access_nothing_is_written(control: Control) -> None:
    token = control.token(LIMITED)
    inventory = control.inventory(
        control.serves(PUBLIC), control.serves(GATED, model_token_file=token)
    )
    done = control.stoker("models", "lock", inventory)
    assert done.returncode == 1
    assert done.stderr == (
        f"stoker: {GATED} is gated and the token's account has no access: accept the licence at "
        f"{control.site.endpoint}/{GATED} with this account, and let the token read gated "
        "repositories\n"
    )
    assert not control.lock.exists()


def test_a_hub_that_lists_other_bytes_of_a_commit_is_not_believed(control: Control) -> None:
    inventory = control.inventory(control.serves(PUBLIC))
    control.stoker("models", "lock", inventory)
    [entry] = lockfile.load(control.lock.read_text())
    sha256 = next(file.sha256 for file in entry.files if file.sha256)
    changed = control.lock.read_text().replace(sha256, "0" * 64)
    control.lock.write_text(changed)
    done = control.stoker("models", "lock", inventory)
    assert done.returncode == 1
    assert "lists other bytes" in done.stderr
    assert "model-00001-of-00002.safetensors" in done.stderr
    assert control.lock.read_text() == changed


def test_a_branch_is_never_followed(control: Control) -> None:
    inventory = control.inventory({"engine_model": PUBLIC, "engine_revision": "main"})
    done = control.stoker("models", "lock", inventory)
    assert done.returncode == 1
    assert done.stderr == (
        "stoker: h1: engine_revision = 'main': expected a commit of 40 hex digits (a branch moves, "
        "so none is accepted)\n"
    )
    assert control.site.hub.control.log == []


def test_another_hub_may_be_asked(control: Control) -> None:
    inventory = control.inventory(control.serves(PUBLIC, model_hub="http://127.0.0.1:9"))
    done = control.stoker("models", "lock", inventory, "--hub", control.site.endpoint)
    assert done.returncode == 0, done.stderr
    assert control.lock.exists()


@pytest.mark.parametrize("arguments", [("lock", "inventory/none.py"), ("lock", "--no"), ("open",)])
def test_wrong_use_is_2(control: Control, arguments: tuple[str, ...]) -> None:
    done = control.stoker("models", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_hosts_without_a_lock_file_have_nothing_to_write(control: Control) -> None:
    done = control.stoker(
        "models", "lock", control.inventory(control.serves(PUBLIC, model_lock_file=None))
    )
    assert done.returncode == 2
    assert done.stderr == "stoker: model_lock_file is None for h1: name a file to write\n"


def test_access_is_checked(control: Control) -> None:
    control.stoker("models", "lock", control.inventory(control.serves(PUBLIC)))
    wrong = control.token("hf_wrong")
    inventory = control.inventory(
        control.serves(PUBLIC),
        control.serves(GATED),
        control.serves(GATED, model_token_file=wrong),
    )
    done = control.stoker("models", "check", inventory)
    assert done.returncode == 1
    commit, hub = control.site.commit(GATED)[:12], control.site.endpoint
    gated, refused, public = done.stdout.splitlines()
    assert refused == (
        f"{GATED}@{commit}: refused: {GATED} is gated: set model_token_file to a file with the "
        f"token of an account that accepted its licence at {hub}/{GATED} (wanted by h2)"
    )
    assert gated == (
        f"{GATED}@{commit}: refused: {hub} does not accept the token: it is wrong or has expired "
        "(model_token_file) (wanted by h3)"
    )
    assert public.startswith(f"{PUBLIC}@{control.site.commit()[:12]}: may be downloaded (")
    assert public.endswith(" kB, locked)")


def test_access_as_a_document(control: Control) -> None:
    done = control.stoker("models", "check", "--json", control.inventory(control.serves(PUBLIC)))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        {
            "repo": PUBLIC,
            "commit": control.site.commit(),
            "hub": control.site.endpoint,
            "hosts": ["h1"],
            "locked": False,
            "bytes": None,
            "problem": None,
        }
    ]
