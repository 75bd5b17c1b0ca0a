"""`python -m fleet.reference` writes docs/configuration.md, from group_data/all.py and the spec.

What a key is for stands in its comment in group_data/all.py, what it may be in the spec.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from agent.spec import SECTIONS, EngineSpec
from fleet.render import ROOT

SOURCE, PAGE = ROOT / "group_data" / "all.py", ROOT / "docs" / "configuration.md"
PLACE = re.compile(r"\(docs/([\w-]+)\.md\)")
HEADING = re.compile(r"^# -- (\w+): (.*?) -+$")
KEY = re.compile(r"^(?:# )?([a-z_]+) = ")
WORDS = {bool: "`True` or `False`", int: "a whole number", float: "a number", str: "a text"}
HEAD = """\
# Configuration

<!-- Made by `python -m fleet.reference` from group_data/all.py and the spec: do not edit. -->

Every setting, its default, and what it may be. Keys are flat: a group (`group_data/h100.py`), a
host (`("gpu-7", {"engine_gpus": 8})`) or one run (`pyinfra … --data agent_remediation=observe`)
overrides each by itself, and the nearest wins. `make validate INVENTORY=inventory/mine.py` checks
all hosts without connecting to any; an unknown key is refused with the nearest that exists.

A host with several engines names them, and gives what differs:
`engines = {"chat": {"gpus": 4}, "code": {"gpus": 4, "port": 8081}}`.
"""


def page(source: str) -> str:
    """Return the page; `source` is the text of group_data/all.py. Pure."""
    kinds: dict[str, type[msgspec.Struct]] = {**SECTIONS, "engine": EngineSpec}
    parts = [HEAD]
    for prefix, title, lines in _sections(source):
        if prefix not in kinds:
            continue
        hints = get_type_hints(kinds[prefix], include_extras=True)
        heading = PLACE.sub("", title).strip()
        parts.append(
            f"## `{prefix}`: {heading}\n\n| key | default | may be | |\n|---|---|---|---|\n"
        )
        for key, default, text in _keys(lines):
            may = _may_be(hints[key.removeprefix(f"{prefix}_")])
            parts.append(f"| `{key}` | {default} | {may} | {_cell(text)} |\n")
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _sections(source: str) -> Iterator[tuple[str, str, list[str]]]:
    found: list[tuple[str, str, list[str]]] = []
    for line in source.splitlines():
        if heading := HEADING.match(line):
            found.append((heading[1], heading[2], []))
        elif found:
            found[-1][2].append(line)
        elif line.startswith("# -- "):
            found.append(("", "", []))
    yield from found


def _keys(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield key, default, and comment: the lines above it, then what stands behind it."""
    above: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        place += 1
        if not (key := KEY.match(line)):
            above = [*above, line[2:]] if line.startswith("# ") else []
            continue
        if line.startswith("# "):
            yield key[1], "**must be set**", " ".join([*above, _behind(line)])
            above = []
            continue
        statement = [line]
        while not _whole("\n".join(statement)):
            statement.append(lines[place])
            place += 1
        comments = [_behind(one) for one in statement]
        yield key[1], _default("\n".join(statement)), " ".join([*above, *comments])
        above = []


def _whole(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _behind(line: str) -> str:
    """Return the comment that ends a line; no value there holds `  # `."""
    return line.rpartition("  # ")[2].strip() if "  # " in line else ""


def _default(statement: str) -> str:
    value = ast.parse(statement).body[0]
    assert isinstance(value, ast.Assign)
    return f"`{ast.unparse(value.value)}`"


def _may_be(hint: Any) -> str:
    """Say what a value may be: as the spec describes it, else by its type."""
    if get_origin(hint) is Annotated:
        base, *metas = get_args(hint)
        described = [m.description for m in metas if isinstance(m, msgspec.Meta) and m.description]
        return _cell(described[0]) if described else _may_be(base) + _range(metas)
    if get_origin(hint) is Literal:
        return ", ".join(f"`{value!r}`" for value in get_args(hint))
    if get_origin(hint) in {Union, UnionType}:
        some = [_may_be(one) for one in get_args(hint) if one is not NoneType]
        return ", or ".join([*some, "`None`"])
    if get_origin(hint) is tuple:
        return f"several, each {_may_be(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        return "a dict"
    return WORDS.get(hint, "a dict")


def _range(metas: list[Any]) -> str:
    words = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{words[name]} {getattr(meta, name):g}"
        for meta in metas
        if isinstance(meta, msgspec.Meta)
        for name in words
        if getattr(meta, name) is not None
    ]
    return f", {' and '.join(found)}" if found else ""


def _cell(text: str) -> str:
    linked = PLACE.sub(r"([\1](\1.md))", " ".join(text.split()))
    return linked.replace("|", "\\|").replace("<", "&lt;")


def main(place: Path = PAGE) -> int:
    """Write the page."""
    place.write_text(page(SOURCE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
