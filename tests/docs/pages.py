"""The pages, and what of them can be tested: headings, links, and what stands in code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from markdown.extensions.toc import slugify

from fleet.render import ROOT

DOCS = ROOT / "docs"
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```")
CODE = re.compile(r"`([^`]+)`")


class Code(NamedTuple):
    """A line of a block, or a span."""

    page: Path
    line: int
    text: str
    block: bool


def pages() -> list[Path]:
    """Every page that is for people, those at the root of the tree too."""
    return [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def lines(page: Path) -> Iterator[tuple[int, str, bool]]:
    """Yield number, text, and whether it is in a block of code."""
    fenced = False
    for number, text in enumerate(page.read_text().splitlines(), 1):
        if FENCE.match(text):
            fenced = not fenced
        else:
            yield number, text, fenced


def anchors(page: Path) -> set[str]:
    """The names of headings, as mkdocs (and, for these, GitHub) makes them."""
    found: set[str] = set()
    for _, text, fenced in lines(page):
        if not fenced and (heading := re.match(r"#+ (.*)", text)):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "")
            name = slugify(plain, "-")
            number = 1
            while name in found:
                name = f"{slugify(plain, '-')}_{number}"
                number += 1
            found.add(name)
    return found


def links(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the target of each link."""
    for number, text, fenced in lines(page):
        if not fenced:
            for match in LINK.finditer(CODE.sub("", text) if "](" not in text else text):
                yield number, match[1] or match[2]


def code() -> Iterator[Code]:
    """Yield everything that stands in code, on all pages; a decision is history, and left out."""
    for page in pages():
        if page.parent.name == "adr":
            continue
        for number, text, fenced in lines(page):
            for part in [text] if fenced else CODE.findall(text):
                yield Code(page, number, part, fenced)
