"""`models.lock` as text: the files of every commit that may be served. Pure.

TOML, sorted, one line a file: what changes in a model is what changes in a diff.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator

import msgspec

from agent.errors import SpecError
from agent.weights.lock import Locked
from agent.weights.plan import File, outside

VERSION = 1
HEAD = """\
# The weights that hosts may serve, to the byte. Written by `stoker models lock`: do not edit.
# Keep it under version control; what is not in it is refused, and no branch is ever followed.
"""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file; `git` = id of its git object, `sha256` for what is kept by LFS."""

    size: int
    git: str
    sha256: str | None = None


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One commit; `bytes` is for the reader."""

    repo: str
    commit: str
    bytes: int
    parameters: dict[str, int]
    files: dict[str, Row]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    version: int
    model: list[Model] = []


def dump(entries: Iterable[Locked]) -> str:
    """Return the text; the same entries in any order give the same text."""
    ordered = sorted(entries, key=lambda entry: (entry.repo, entry.commit))
    parts = [f"{HEAD}version = {VERSION}", *("\n".join(_model(one)) for one in ordered)]
    return "\n\n".join(parts) + "\n"


def load(text: str) -> tuple[Locked, ...]:
    """Read the text back; raise `SpecError` with a sentence that says where it is wrong."""
    try:
        document = msgspec.convert(tomllib.loads(text), Document)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SpecError(f"cannot be read: {error}") from error
    if document.version != VERSION:
        raise SpecError(f"version = {document.version}: this Stoker reads version {VERSION}")
    return tuple(_locked(model) for model in document.model)


def _model(one: Locked) -> Iterator[str]:
    yield "[[model]]"
    yield f"repo = {_text(one.repo)}"
    yield f"commit = {_text(one.commit)}"
    yield f"bytes = {one.size}"
    counts = [f"{dtype} = {count}" for dtype, count in sorted(one.parameters.items())]
    yield f"parameters = {{ {', '.join(counts)} }}" if counts else "parameters = {}"
    yield "[model.files]"
    for file in sorted(one.files, key=lambda file: file.path):
        sha256 = f", sha256 = {_text(file.sha256)}" if file.sha256 else ""
        yield f"{_text(file.path)} = {{ size = {file.size}, git = {_text(file.blob)}{sha256} }}"


def _locked(model: Model) -> Locked:
    files = tuple(
        File(path=path, size=row.size, blob=row.git, sha256=row.sha256)
        for path, row in model.files.items()
    )
    if odd := outside(files):
        raise SpecError(f"{model.repo}: {odd[0]!r} lies outside of the model's directory")
    return Locked(repo=model.repo, commit=model.commit, parameters=model.parameters, files=files)


def _text(value: str) -> str:
    """Return a TOML string: its escapes are those of JSON, but for the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
