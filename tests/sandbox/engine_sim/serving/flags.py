"""A Python engine's command line, from a table of its flags; argparse says what is wrong."""

from argparse import ArgumentParser
from collections.abc import Sequence
from importlib.resources import files

_KINDS = {"int": int, "float": float, "text": str}


def add_flags(parser: ArgumentParser, package: str) -> None:
    """Add the flags of `package`'s flags.tsv: names, kind (or choices a|b), default, count."""
    for line in files(package).joinpath("flags.tsv").read_text().splitlines():
        if line.startswith("#"):
            continue
        names, kind, default, count = line.split("\t")
        if kind == "switch":
            parser.add_argument(*names.split(","), action="store_true")
            continue
        choices = kind.split("|") if "|" in kind else None
        parser.add_argument(
            *names.split(","),
            type=_KINDS.get(kind, str),
            choices=choices,
            default=_KINDS.get(kind, str)(default) if default else None,
            nargs=count or None,
        )


def dashed(argv: Sequence[str]) -> list[str]:
    """Flags with dashes, which both engines also take with underscores."""
    return [_dashed(word) if word.startswith("--") else word for word in argv]


def _dashed(word: str) -> str:
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value
