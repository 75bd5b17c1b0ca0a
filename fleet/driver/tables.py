"""The tables that lie in this package: tab-separated, with a head of comments."""

import csv
from importlib import resources


def table(name: str) -> list[dict[str, str]]:
    """Return the rows of a table, by the names in its first line that is no comment."""
    text = resources.files("fleet.driver").joinpath(name).read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
