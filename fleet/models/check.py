"""`stoker models check`: may every model be downloaded with the token that the inventory names?"""

from collections.abc import Callable, Sequence

import msgspec

from agent.errors import ActionError, SpecError
from agent.weights import plan
from agent.weights.hub import HuggingFace
from agent.weights.lock import Locked, find
from agent.weights.patience import patiently
from agent.weights.trouble import Asked
from fleet.models import locked
from fleet.models.wanted import Wanted

DELAYS = (2.0, 5.0)  # seconds between two tries: a person waits


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one commit; `problem` None = it may be downloaded. `bytes` as locked."""

    repo: str
    commit: str
    hub: str
    hosts: tuple[str, ...]
    locked: bool
    bytes: int | None
    problem: str | None


def run(
    models: Sequence[Wanted],
    say: Callable[[str], None],
    pause: Callable[[float], None],
    *,
    as_json: bool,
) -> int:
    """Check each and print a line for it; return the exit code."""
    found = [check(one, say, pause) for one in models]
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        print("\n".join(map(line, found)))
    return 1 if any(one.problem for one in found) else 0


def check(wanted: Wanted, say: Callable[[str], None], pause: Callable[[float], None]) -> Checked:
    """Ask the Hub for one commit."""
    entry, problem = None, None
    try:
        entry = _entry(wanted)
        token = wanted.token
        asked = Asked(
            hub=wanted.hub, repo=wanted.repo, commit=wanted.commit, token=token is not None
        )
        hub = HuggingFace(wanted.hub, wanted.repo, wanted.commit, token)
        patiently(hub.check, asked, say, pause, DELAYS)
    except (ActionError, SpecError) as error:
        problem = str(error)
    return Checked(
        repo=wanted.repo,
        commit=wanted.commit,
        hub=wanted.hub,
        hosts=wanted.hosts,
        locked=entry is not None,
        bytes=sum(f.size for f in plan.wanted(entry.files, code=wanted.code)) if entry else None,
        problem=problem,
    )


def line(one: Checked) -> str:
    """Say it in a line."""
    name = f"{one.repo}@{one.commit[:12]}"
    if one.problem:
        return f"{name}: refused: {one.problem} (wanted by {', '.join(one.hosts)})"
    size = f"{plan.amount(one.bytes)}, locked" if one.bytes is not None else "not locked"
    return f"{name}: may be downloaded ({size})"


def _entry(wanted: Wanted) -> Locked | None:
    return find(locked.read(wanted.lock_file) or (), wanted.repo, wanted.commit)
