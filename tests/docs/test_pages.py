"""Links lead somewhere, pages can be found, and the configuration is that of the spec."""

import re
from pathlib import Path

import msgspec
import pytest

from agent import flat
from agent.spec import SECTIONS, EngineSpec
from fleet import reference
from fleet.render import ROOT
from tests.docs import pages

MINUTES = {
    "add a host": "Add a host",
    "change the model": "Change the model",
    "replace a GPU": "Replace a GPU",
    "rotate a key": "Rotate a key",
    "read why a node drained": "Read why a node drained",
}


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for number, target in pages.links(page):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), f"{page}:{number}: {target}"
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), f"{page}:{number}: there is no {target}"
        if anchor:
            assert anchor in pages.anchors(other), f"{page}:{number}: {target} has no such heading"


def nav() -> list[str]:
    config = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    return re.findall(r"^ +- ([\w./-]+\.md)$", config, re.MULTILINE)


def test_every_page_stands_in_the_navigation() -> None:
    there = [str(page.relative_to(pages.DOCS)) for page in pages.DOCS.glob("*.md")]
    there += [str(page.relative_to(pages.DOCS)) for page in (pages.DOCS / "adr").glob("*.md")]
    assert sorted(nav()) == sorted([*there, "runbooks/index.md"])


def test_the_configuration_is_that_of_the_spec() -> None:
    assert reference.PAGE.read_text() == reference.page(reference.SOURCE.read_text()), (
        "run: make docs"
    )


def test_the_configuration_has_every_key_once() -> None:
    kinds: dict[str, type[msgspec.Struct]] = {**SECTIONS, "engine": EngineSpec}
    wanted = [key for prefix, kind in kinds.items() for key, _ in flat.keys(prefix, kind)]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|", reference.PAGE.read_text(), re.MULTILINE)
    assert sorted(key for key, _, _ in rows) == sorted(wanted)
    assert all(default and may for _, default, may in rows)


def test_what_people_look_for_first_is_a_heading_of_one_page() -> None:
    text = (pages.DOCS / "how-to.md").read_text()
    for task in MINUTES.values():
        assert f"\n## {task}\n" in text
    assert "(how-to.md)" in (pages.DOCS / "index.md").read_text()


def test_a_broken_link_and_a_missing_heading_are_seen(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# One `two` (three)\n\n[a](b.md) `[no](link)` [c](#d)\n```\n[e](f.md)\n```\n")
    assert pages.anchors(page) == {"one-two-three"}
    assert [target for _, target in pages.links(page) if target != "link"] == ["b.md", "#d"]
