"""`models.lock` as text, and what it lets a host serve."""

from pathlib import Path

import pytest

from agent.errors import SpecError
from agent.weights.lock import Locked
from agent.weights.plan import File
from fleet.models import locked, lockfile
from tests.fleet.samples import spec

OTHER = Locked(
    repo="org/other",
    commit="d" * 40,
    parameters={},
    files=(File(path="adapter_config.json", size=2, blob="1" * 40),),
)
MODEL = Locked(
    repo="org/model",
    commit="c" * 40,
    parameters={"F32": 64, "BF16": 1000},
    files=(
        File(path="model.safetensors", size=2256, blob="2" * 40, sha256="3" * 64),
        File(path='a "b"\\é.json', size=7, blob="4" * 40),
    ),
)
TEXT = f"""{lockfile.HEAD}version = 1

[[model]]
repo = "org/model"
commit = "{"c" * 40}"
bytes = 2263
parameters = {{ BF16 = 1000, F32 = 64 }}
[model.files]
"a \\"b\\"\\\\é.json" = {{ size = 7, git = "{"4" * 40}" }}
"model.safetensors" = {{ size = 2256, git = "{"2" * 40}", sha256 = "{"3" * 64}" }}

[[model]]
repo = "org/other"
commit = "{"d" * 40}"
bytes = 2
parameters = {{}}
[model.files]
"adapter_config.json" = {{ size = 2, git = "{"1" * 40}" }}
"""


def test_the_text_is_sorted_and_the_same_in_any_order() -> None:
    assert lockfile.dump([OTHER, MODEL]) == TEXT
    assert lockfile.dump([MODEL, OTHER]) == TEXT


def test_it_is_read_back() -> None:
    model, other = lockfile.load(TEXT)
    assert other == OTHER
    assert set(model.files) == set(MODEL.files)
    assert (model.parameters, model.size, model.digest) == (
        MODEL.parameters, 2263, MODEL.digest,
    )  # fmt: skip


def test_an_empty_lock_is_a_lock() -> None:
    assert lockfile.load(lockfile.dump([])) == ()


@pytest.mark.parametrize("change", [("size = 7", "size = 8"), ("2" * 40, "5" * 40), ("33", "34")])
def test_the_digest_changes_with_any_file(change: tuple[str, str]) -> None:
    model, _ = lockfile.load(TEXT.replace(*change, 1))
    assert model.digest != MODEL.digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = ", "cannot be read: Invalid value"),
        ("version = 2\n", "version = 2: this Stoker reads version 1"),
        (TEXT.replace("bytes", "octets"), "cannot be read: Object contains unknown field `octets`"),
        (TEXT.replace("size = 7", 'size = "7"'), "cannot be read: Expected `int`, got `str`"),
        (
            TEXT.replace('"adapter_config.json"', '"../../../etc/x.json"'),
            "org/other: '../../../etc/x.json' lies outside of the model's directory",
        ),
    ],
)
def test_what_is_wrong_with_it_is_a_sentence(text: str, said: str) -> None:
    with pytest.raises(SpecError) as refused:
        lockfile.load(text)
    assert str(refused.value).startswith(said)


@pytest.fixture
def lock(tmp_path: Path) -> str:
    path = tmp_path / "models.lock"
    path.write_text(TEXT)
    return str(path)


def test_what_is_locked_may_be_served(lock: str) -> None:
    made = spec(model_lock_file=lock, model_source_dir="/mnt/weights")
    assert locked.faults(made) == []
    assert [entry.repo for entry in locked.of(made)] == ["org/model"]


def test_adapters_are_locked_too(lock: str) -> None:
    made = spec(model_lock_file=lock, engine_lora_adapters={"x": f"org/other@{'d' * 40}"})
    assert [entry.repo for entry in locked.of(made)] == ["org/model", "org/other"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            {"engine_revision": "e" * 40},
            f"engine main: wants org/model at {'e' * 40}, but LOCK has org/model at {'c' * 40}: "
            "if that commit is what you mean, run `stoker models lock INVENTORY`",
        ),
        (
            {"engine_model": "org/new"},
            f"engine main: wants org/new at {'c' * 40}, but LOCK does not have org/new: if that "
            "commit is what you mean, run `stoker models lock INVENTORY`",
        ),
        (
            {"engine_lora_adapters": {"x": f"org/other@{'e' * 40}"}},
            f"engine main: wants org/other at {'e' * 40}, but LOCK has org/other at {'d' * 40}: "
            "if that commit is what you mean, run `stoker models lock INVENTORY`",
        ),
    ],
)
def test_what_is_not_locked_is_refused_with_the_command_to_run(
    lock: str, data: dict[str, object], said: str
) -> None:
    made = spec(model_lock_file=lock, **data)
    assert locked.faults(made) == [said.replace("LOCK", lock)]
    with pytest.raises(SpecError):
        locked.of(made)


@pytest.mark.parametrize("missing", ["/nonexistent/models.lock", None])
def test_without_a_lock_nothing_is_locked(missing: str | None) -> None:
    made = spec(model_lock_file=missing)
    assert locked.faults(made) == []
    assert locked.of(made) == ()


def test_a_directory_of_weights_needs_a_lock() -> None:
    made = spec(model_lock_file="/nonexistent/models.lock", model_source_dir="/mnt/weights")
    assert locked.faults(made) == [
        "model_source_dir = '/mnt/weights': nothing tells whether its files are right, for there "
        "is no /nonexistent/models.lock: set model_lock_file, and run `stoker models lock` where "
        "the Hub can be reached"
    ]


def test_a_lock_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.lock"
    path.write_text("[[model]\n")
    [fault] = locked.faults(spec(model_lock_file=str(path)))
    assert fault.startswith(f"model_lock_file = '{path}': cannot be read: ")
    [fault] = locked.faults(spec(model_lock_file=str(tmp_path)))
    assert fault.startswith(f"model_lock_file = '{tmp_path}': cannot be read: ")
