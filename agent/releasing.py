"""`stoker-release`: the releases of this node, and converging to one of them. As root.

Exit codes: 0 done · 1 refused, or it failed · 2 wrong use.
"""

import argparse
import getpass
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent import releases
from agent.audit import Audit
from agent.errors import ActionError, StokerError
from agent.paths import Paths
from agent.releases import Release

VENVS = Path("/opt/stoker/venvs")
DEPLOY = ("pyinfra", "inventory/node.py", "deploy.py", "-y")
CURRENT_VENV = Path("/opt/stoker/venv")


def main(arguments: Sequence[str] | None = None, root: Path = releases.ROOT) -> int:
    """Run one command."""
    options = _parser().parse_args(arguments)
    try:
        found = releases.read(root)
        match options.command:
            case "list":
                return _list(found, as_json=options.json)
            case "drift":
                return _drift(root, options)
            case "gc":
                return _gc(found, root, options.keep)
            case _:
                return _converge(found, root, options)
    except StokerError as error:
        print(f"stoker-release: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stoker-release", description="This node's releases.")
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("list", help="show the releases, the newest last")
    shown.add_argument("--json", action="store_true", help="print them as one document")
    gone = commands.add_parser("gc", help="remove releases that are not retained")
    gone.add_argument("--keep", type=int, required=True, help="how many beside the current one")
    drift = commands.add_parser("drift", help="compare this node with its current release")
    drift.add_argument("--splay", type=float, default=0, help="wait up to so many seconds first")
    drift.add_argument("--report-only", action="store_true", help="put nothing right")
    drift.add_argument("--json", action="store_true", help="print the report as JSON")
    converge = commands.add_parser("converge", help="make this node what a release says")
    converge.add_argument("release", nargs="?", help="its id; the one before the current")
    converge.add_argument("--reason", required=True, help="why, for the audit log")
    converge.add_argument("--by", default=getpass.getuser(), help="who (default: %(default)s)")
    return parser


def _list(found: Sequence[Release], *, as_json: bool) -> int:
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return 0
    for one in found:
        state = "current" if one.current else "kept" if one.complete else "never reached"
        print(f"{one.about.id}  {state:<13}  by {one.about.by}: {', '.join(one.about.models)}")
    if not found:
        print("none: nothing was deployed here yet")
    return 0


def _gc(found: Sequence[Release], root: Path, keep: int) -> int:
    gone = releases.garbage(found, keep)
    kept = [one for one in found if one not in gone]
    releases.remove(gone, root)
    used = {one.about.program for one in kept} | {CURRENT_VENV.resolve().name}
    for venv in VENVS.iterdir():
        if venv.name not in used:
            shutil.rmtree(venv)
    _remove_images(
        {i for g in gone for i in g.about.images} - {i for k in kept for i in k.about.images}
    )
    for one in gone:
        print(f"removed release {one.about.id}")
    return 0


def _remove_images(unused: set[str]) -> None:
    for image in sorted(unused):  # one that a container still has stays: Docker refuses
        subprocess.run(["docker", "image", "rm", image], capture_output=True, check=False)


def _converge(found: Sequence[Release], root: Path, options: argparse.Namespace) -> int:
    wanted = choose(found, options.release)
    python = _python(wanted)
    audit = Audit(Paths().state / "deploys.jsonl")
    told = {"release": wanted.about.id, "by": options.by, "reason": options.reason}
    audit.write("converge", **told)
    begun = time.monotonic()
    code = run(python, root / wanted.about.id, DEPLOY)
    took = round(time.monotonic() - begun, 1)
    audit.write("converged" if code == 0 else "converge-failed", seconds=took, **told)
    return code


def _drift(root: Path, options: argparse.Namespace) -> int:
    time.sleep(random.uniform(0, options.splay))  # noqa: S311 - spreads load, hides nothing
    here = [one for one in releases.read(root) if one.current]  # now: a deploy may have come
    if not here:
        raise ActionError("nothing was deployed here yet")
    command = ["fleet.drift"]
    command += ["--report-only"] * options.report_only + ["--json"] * options.json
    become(_python(here[0]), root / here[0].about.id, command)
    return 1  # not reached


def choose(found: Sequence[Release], wanted: str | None) -> Release:
    """Return the release that is meant; raise `ActionError` with what there is."""
    known = ", ".join(one.about.id for one in found) or "none"
    if wanted is not None:
        named = [one for one in found if one.about.id == wanted]
        if not named:
            raise ActionError(f"there is no release {wanted} here; there are: {known}")
        return named[0]
    here = max((one.about.id for one in found if one.current), default="")
    former = [one for one in found if one.complete and one.about.id < here]
    if not former:
        raise ActionError(f"there is no release before the current one; there are: {known}")
    return former[-1]


def _python(release: Release) -> Path:
    python = VENVS / release.about.program / "bin" / "python"
    if not python.exists():
        raise ActionError(f"the program of release {release.about.id} is gone: deploy again")
    return python


def run(python: Path, release: Path, command: Sequence[str]) -> int:
    """Run a module of the release's own tree on this node; return its exit code."""
    return subprocess.run(
        [str(python), "-m", *command],
        cwd=release / "tree",
        env=_environment(release),
        check=False,
        stdin=subprocess.DEVNULL,
    ).returncode


def become(python: Path, release: Path, command: Sequence[str]) -> None:
    """Go on as a module of the release's own tree: two programs need more memory than one."""
    os.chdir(release / "tree")
    os.execve(python, [str(python), "-m", *command], _environment(release))  # noqa: S606


def _environment(release: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PYINFRA_PROGRESS": "off",
        "PYTHONDONTWRITEBYTECODE": "1",
        "STOKER_RELEASE": str(release),
        "STOKER_LOCK": os.environ.get("STOKER_LOCK", ""),
        "STOKER_BRAKE": os.environ.get("STOKER_BRAKE", ""),
    }


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
