"""What no operation would put right: seen by itself, and left to a person. Pure.

The release as it was laid, files whose content only a look tells, and units that somebody else has
added to.
"""

from collections.abc import Iterator

import msgspec

from agent.drift.manifest import Manifest
from agent.drift.report import Finding, Kind
from agent.releases import About
from fleet.facts.paths import Found
from fleet.facts.units import Units, made_of

PERSON = "a person puts this right: "


def release(laid: About, directory: str, made: About) -> Iterator[Finding]:
    """Yield that the release in `directory` is not as it was laid: its parts make `made` now.

    Who made it, and when, is told by `laid` alone.
    """
    same = msgspec.structs.replace(made, id=laid.id, at=laid.at, by=laid.by, source=laid.source)
    if laid != same or laid.id != directory or not laid.id.endswith(f"-{made.digest}"):
        said = f"its parts make {made.digest}"
        yield _finding(f"release {directory} is not as it was laid", said, "deploy again")


def files(former: Manifest, measured: set[str], now: Found) -> Iterator[Finding]:
    """Yield the files that are other ones than when the release was reached."""
    for path in sorted(measured & former.files.keys()):
        if now.get(path) != former.files[path]:
            found = "it is gone" if path not in now else f"it is {_said(now[path])}"
            yield _finding(f"{path} is not as it was deployed", found, "deploy again")


def units(former: Manifest, now: Units) -> Iterator[Finding]:
    """Yield the units that systemd makes of more than the deploy left, or of something else."""
    for name, known in sorted(former.composed.items()):
        state = now.get(name, {})
        if state.get("LoadState") in {"masked", "not-found", None}:
            continue  # there is an operation for that
        own, *drop_ins = made_of(state)
        ours = {*known, *former.files}
        if own not in ours:
            said = f"it is made of {own or 'nothing'}, not of {known[0] or 'nothing'}"
            yield _finding(f"{name} is another unit", said, "remove it, or deploy to keep it")
        if more := [path for path in drop_ins if path not in ours]:
            said = f"{', '.join(more)} came since"
            yield _finding(f"{name} is changed by others", said, "remove it, or deploy to keep it")


def _said(found: object) -> str:
    return ", ".join(f"{key} {value}" for key, value in msgspec.to_builtins(found).items())


def _finding(what: str, found: str, way_out: str) -> Finding:
    return Finding(
        stage="drift", operation=what, kind=Kind.NEVER, found=found, left=PERSON + way_out
    )
