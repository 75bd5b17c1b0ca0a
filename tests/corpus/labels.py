"""What is right for a number, from the columns of the tables in `agent/data` alone."""

from __future__ import annotations

import csv
from pathlib import Path

DATA = Path(__file__).parents[2] / "agent" / "data"

# Where the action column is the fallback of a rule: number → what is right
# for the bare line of an engine's process, with nothing else known.
RULED = {
    45: "none",  # rule 10: cleaning up
    63: "none",  # rule 3: good news, reset at the next drain
    109: "drain",  # rule 8: drain, and let field 230 decide
    156: "none",  # rule 14: reset at the next drain
    159: "none",  # rule 14: watch, unless managed memory is used
    175: "drain",  # special_rule: obey field 230
}
BY_TEXT = {74, 154, *range(144, 151)}  # the text decides; they have traces of their own

_ACTIONS = {
    "ignore": "none",
    "restart-app": "restart",
    "reset-gpu": "reset",
    "reboot": "reboot",
}
_RESOLUTIONS = {"IGNORE": "none", "XID_154_EVAL": "none", "RESET_GPU": "reset"}


def rows(name: str) -> list[dict[str, str]]:
    """Read a table."""
    with (DATA / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def catalogue() -> list[dict[str, str]]:
    return rows("xid-catalogue.tsv")


def nvlink5() -> list[dict[str, str]]:
    return rows("xid-nvlink5-decode.tsv")


def expected(row: dict[str, str]) -> str:
    """Name the remedy for a catalogue row whose line names an engine's process.

    A row that goes to a human takes the GPU out of service when its severity is critical; with
    a lesser one it is a ticket, and an unknown one needs a second sign (rule 15).
    """
    ruled = RULED.get(int(row["xid"]))
    if ruled:
        return ruled
    if row["action"] in _ACTIONS:
        return _ACTIONS[row["action"]]
    return "quarantine" if row["severity"] == "critical" else "none"


def resolved(row: dict[str, str]) -> str:
    """Name the remedy for an NVLink5 rule; what is left to Xid 154 needs nothing without one."""
    return _RESOLUTIONS[row["nvidia_resolution"]]
