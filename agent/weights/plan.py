"""Which files of a repository are weights, and whether they fit on the disk. Pure."""

import math
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

import msgspec

ALLOW = ("*.safetensors", "*.json", "*.jinja", "*.model", "tokenizer*", "*.txt")
CODE = ("*.py",)  # only for an operator who trusts the model's own code
IGNORE = ("original/*", "*.pth", "*.gguf", "*.bin", "onnx/*", ".*")
SPARE = 10  # percent of the bytes to come that must stay free
UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the Hub's listing. Its git `blob` id is always known, `sha256` for LFS only."""

    path: str
    size: int
    blob: str
    sha256: str | None = None


def patterns(*, code: bool) -> list[str]:
    """Return the patterns of the files to fetch."""
    return [*ALLOW, *CODE] if code else [*ALLOW]


def wanted(files: Iterable[File], *, code: bool) -> tuple[File, ...]:
    """Return the files to fetch; with `code` the model's own Python files too."""
    return tuple(
        file
        for file in files
        if _matches(file.path, patterns(code=code)) and not _matches(file.path, IGNORE)
    )


def outside(files: Iterable[File]) -> list[str]:
    """Return the paths that would be written outside of the directory of weights."""
    paths = [PurePosixPath(file.path) for file in files]
    return [str(path) for path in paths if path.is_absolute() or ".." in path.parts]


def has_weights(files: Sequence[File]) -> bool:
    """Say whether there are weights among the files; pickled ones do not count."""
    return any(file.path.endswith(".safetensors") for file in files)


def disk_fault(missing: int, free: int, where: str) -> str | None:
    """Say in a sentence that `missing` bytes do not fit into `free` ones; None when they do."""
    need = missing + math.ceil(missing * SPARE / 100)
    if need <= free:
        return None
    return (
        f"no room for the weights: they need {amount(need)} (with {SPARE} % to spare), "
        f"but {amount(free)} are free on the disk of {where}; "
        "`stoker-weights gc` shows what nothing needs any more"
    )


def amount(size: float) -> str:
    """Return a number of bytes as people read it: 140.25 GB, 3.10 MB."""
    for unit, factor in UNITS:
        if size >= factor:
            return f"{size / factor:.2f} {unit}"
    return f"{size:.0f} bytes"


def _matches(path: str, among: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in among)
