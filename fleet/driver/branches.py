"""NVIDIA's driver branches, as a dated table, and which of them a setting means.

Which branch a host gets depends on the table alone, never on today's date: a fleet that is deployed
again must not move to another driver because a month has passed.
"""

from datetime import date
from functools import cache
from typing import Literal

from agent.errors import SpecError
from agent.model import Value
from agent.spec import DriverSpec
from fleet.driver.tables import table

SOON = 90  # days before its end of life from which a branch is warned of
# The containers of today's engines have CUDA 13, which needs it (CUDA release notes).
LEAST = 580
Kind = Literal["LTSB", "PB", "NFB", "?"]  # long-term, production, new features, not in the table
WORDS: dict[Kind, str] = {
    "LTSB": "long-term",
    "PB": "production",
    "NFB": "new features only",
    "?": "newer than our table of branches",
}
WHY: dict[Kind, str] = {
    "NFB": "is a branch for new features, for which NVIDIA promises no fixes",
    "?": "is no branch that we know",
}


class Branch(Value, frozen=True, kw_only=True):
    """One branch. `over` = unsupported when the table was made; `end_of_life` "2027-03", "" = none.

    `kernel_below` = the first Linux that it does not build for, () = none known.
    """

    name: str
    kind: Kind
    alias: str = ""
    newest: str = ""
    cuda: str = ""
    end_of_life: str = ""
    over: bool = False
    kernel_below: tuple[int, ...] = ()

    @property
    def number(self) -> int:
        """The branch as a number: later ones are greater."""
        return int(self.name)

    @property
    def supported(self) -> bool:
        """Whether NVIDIA promises to mend it for a time that is known."""
        return self.kind in {"LTSB", "PB"} and not self.over

    @property
    def standing(self) -> str:
        """What it is, in words: "production, supported until 2027-03"."""
        if self.over:
            return f"{WORDS[self.kind]}, no longer supported"
        if not self.end_of_life:
            return WORDS[self.kind]
        return f"{WORDS[self.kind]}, supported until {self.end_of_life}"


@cache
def branches() -> dict[str, Branch]:
    """Return the table, oldest first."""
    rows = table("branches.tsv")
    return {row["branch"]: _branch(row) for row in rows}


def known(name: str) -> Branch:
    """Return the branch of this number, also when the table does not have it."""
    return branches().get(name) or Branch(name=name, kind="?")


def choices() -> str:
    """Name the branches that may be set without force, for a sentence."""
    good = [one.name for one in branches().values() if one.supported]
    return f"{', '.join(good[:-1])} or {good[-1]}"


def resolve(wanted: str, version: str | None, last: int, *, force: bool) -> Branch:
    """Return the branch that a spec means; `SpecError` says what is wrong with it.

    `last` = the last branch that drives the host's GPUs, 0 = none: "lts" and "production" bend to
    it, a branch that is named does not.
    """
    alias = {one.alias: one for one in branches().values() if one.alias}
    branch = alias.get(wanted) or known(wanted)
    if wanted in alias and LEAST <= last < branch.number:
        branch = known(str(last))
    if not branch.supported and not force:
        why = WHY[branch.kind] if not branch.over else "is no longer supported by NVIDIA"
        raise SpecError(
            f"driver_branch = {wanted!r}: {why}; take {choices()}, or set driver_force_branch"
        )
    if version and version.split(".")[0] != branch.name:
        raise SpecError(
            f"driver_version = {version!r}: is not of branch {branch.name}; set driver_branch = "
            f"{version.split('.')[0]!r}, or another version"
        )
    return branch


def faults(spec: DriverSpec) -> list[str]:
    """Return what is wrong with the branch or version that a spec wants, on whatever GPUs."""
    if not spec.gpu_count:
        return []
    try:
        resolve(spec.branch, spec.version, 0, force=spec.force_branch)
    except SpecError as error:
        return [str(error)]
    return []


def ending(branch: Branch, today: date) -> str | None:
    """Return a sentence when the branch is near its end of life, or past it."""
    if not branch.end_of_life:
        return None
    year, month = (int(part) for part in branch.end_of_life.split("-"))
    end = date(year + month // 12, month % 12 + 1, 1)  # the first day on which it is over
    left = (end - today).days
    if left <= 0:
        return f"driver branch {branch.name} is past its end of life ({branch.end_of_life})"
    if left <= SOON:
        return (
            f"driver branch {branch.name} gets no fixes after {branch.end_of_life}, in {left} days"
        )
    return None


def _branch(row: dict[str, str]) -> Branch:
    kinds: dict[str, Kind] = {"LTSB": "LTSB", "PB": "PB", "NFB": "NFB"}
    return Branch(
        name=row["branch"],
        kind=kinds[row["class"]],
        alias=row["alias"],
        newest=row["newest"],
        cuda=row["cuda"],
        end_of_life=row["end_of_life"],
        over=row["over"] == "yes",
        kernel_below=tuple(int(part) for part in row["kernel_below"].split(".") if part),
    )
