"""`stokerctl brake`: the slot of this node, and freeing slots by a person's word.

    stokerctl brake [--json]
    stokerctl brake --free [NAME] --reason "…" [--by WHO] [--group GROUP …]

Without NAME it is this node's own slot, and its agent gives it back. NAME is as another node, or
the server, shows it: of a node that will not come back. That needs no agent, only the server.
Exit codes: 0 done · 1 not reached, or refused · 2 wrong use.
"""

import argparse
import asyncio
import getpass
import os
import sys
import time
from collections.abc import Iterable

import msgspec

from agent import slots
from agent.audit import Audit
from agent.client import Agent
from agent.errors import StokerError
from agent.paths import Paths
from agent.show import age, fit
from agent.snapshot import Snapshot
from agent.spec import HostSpec, load

OWN = ""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="print it as one document")
    parser.add_argument(
        "--free", nargs="?", const=OWN, metavar="NAME", help="give back this node's slot, or NAME's"
    )
    parser.add_argument("--group", action="append", help="of NAME; those of this node if left out")
    parser.add_argument("--reason", help="why, for the audit log; needed to free")
    parser.add_argument("--by", default=_person(), help="who asks (default: %(default)s)")


def main(agent: Agent, options: argparse.Namespace, paths: Paths = Paths()) -> int:  # noqa: B008
    """Show, or free; return the exit code."""
    if options.free is None:
        return _show(agent.status(), as_json=options.json)
    if not options.reason:
        print("stokerctl: brake --free needs a --reason", file=sys.stderr)
        return 2
    if options.free == OWN:
        agent.free(options.by, options.reason)
        print("the agent gives its slot back")
        return 0
    return _free(load(paths.spec.read_bytes()), options, paths)


def render(snapshot: Snapshot, now: float) -> str:
    """Return what a person wants to know of the slot of this node."""
    held = snapshot.slots
    if held is None:
        return f"{snapshot.node}: there is no FleetLock server (agent_fleetlock_url)"
    lines = [f"{snapshot.node}: holds no slot"]
    if held.name:
        groups = ", ".join(held.got) or "none yet"
        lines = [f"{snapshot.node}: {held.name} for {age(now - held.since)}, in: {groups}"]
    if held.out:
        lines.append(f"  taken out, not back yet: {', '.join(held.out)}")
    if held.refusal and not held.got:
        lines.append(f"  last refusal: {held.refusal}")
    lines += [f"  to be given back: {one.group} of {one.name}" for one in held.owed]
    return fit(lines)


def _show(snapshot: Snapshot, *, as_json: bool) -> int:
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(snapshot.slots)).decode())
    else:
        print(render(snapshot, time.time()))
    return 0


def _free(spec: HostSpec, options: argparse.Namespace, paths: Paths) -> int:
    if not os.access(paths.state, os.W_OK):
        raise StokerError(f"{paths.state}: not permitted, so it could not be audited; try sudo")
    if spec.agent.fleetlock_url is None:
        raise StokerError("there is no FleetLock server here (agent_fleetlock_url)")
    models = {engine.model for engine in spec.engines.values()}
    groups = options.group or slots.groups(spec.agent.fleetlock_group, models)
    told = {"slot": options.free, "groups": list(groups), "by": options.by}
    Audit(paths.state / "deploys.jsonl").write("slot freed", reason=options.reason, **told)
    return asyncio.run(_release(spec.agent.fleetlock_url, groups, options.free))


async def _release(url: str, groups: Iterable[str], name: str) -> int:
    # Not for the other commands: these take long to import.
    import aiohttp  # noqa: PLC0415

    from agent.fleetlock import FleetLock  # noqa: PLC0415

    code = 0
    async with aiohttp.ClientSession(trust_env=False) as http:
        for group in groups:
            problem = await FleetLock(url, group, name, http).release()
            if problem is None:
                print(f"{group}: {name} holds nothing any more")
                continue
            print(f"stokerctl: {group}: {problem.message}", file=sys.stderr)
            code = 1
    return code


def _person() -> str:
    return os.environ.get("SUDO_USER") or getpass.getuser()
