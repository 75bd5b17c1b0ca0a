"""`stokerctl`: look at this node's agent, and ask it for something.

Exit codes: 0 done · 1 not reached, or refused · 2 wrong use · 3 the wait ended without success.
`simulate` needs no agent; it ends with 3 if something would have been done (`agent.simulate`).
`doctor` needs none either; it ends with 1 if it finds something (`agent.doctor.command`); nor does
`maintenance` (`agent.maintenance`).
"""

import argparse
import getpass
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from agent import audit, brakectl, client, maintenance_command, show, show_why, simulate, why
from agent.asking import ask
from agent.doctor import command as doctor
from agent.errors import GARBLED, StokerError
from agent.model import Verb
from agent.paths import Paths
from agent.spec import load
from agent.xid import catalogue


def main(
    arguments: Sequence[str] | None = None, pause: Callable[[float], None] = time.sleep
) -> int:
    """Run one command; `pause` passes the seconds between two looks of a wait."""
    options = _parser().parse_args(arguments)
    agent = client.Agent(options.socket)
    try:
        match options.command:
            case "status":
                return _status(agent, as_json=options.json)
            case "why":
                return _why(agent, options)
            case "ack" | "brake":
                act = _acknowledge if options.command == "ack" else brakectl.main
                return act(agent, options)
            case "simulate" | "doctor" | "maintenance":
                return _alone(options)
            case verb:
                return ask(agent, Verb(verb), options, pause)
    except StokerError as error:
        print(f"stokerctl: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stokerctl", description="Talk to this node's agent.")
    parser.add_argument("--socket", default=str(Paths().socket), help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    status = commands.add_parser("status", help="show engines, GPUs and what is open")
    status.add_argument("--json", action="store_true", help="print the whole document")
    reasons = commands.add_parser("why", help="explain where an engine is, and what comes next")
    reasons.add_argument("engine", nargs="?", help="name of the engine; all when left out")
    log = Paths().state / "audit.jsonl"
    reasons.add_argument("--audit", type=Path, default=log, help=argparse.SUPPRESS)
    reasons.add_argument("--json", action="store_true", help="print it as one document")
    for verb, text in (
        (Verb.DRAIN, "refuse new requests, let those in flight finish"),
        (Verb.UNDRAIN, "serve again; also releases a quarantine"),
        (Verb.RESTART, "drain, restart, and serve again"),
    ):
        command = commands.add_parser(verb, help=text)
        command.add_argument("engine", nargs="?", help="name of the engine; all when left out")
        _add_person(command)
        command.add_argument(
            "--wait", type=float, metavar="SECONDS", help="wait for the outcome at most so long"
        )
        command.add_argument(
            "--slot",
            type=float,
            metavar="SECONDS",
            help="an engine that serves only with a slot of the fleet brake; wait at most so long",
        )
        command.add_argument("--json", action="store_true", help="print the engine's state")
    ack = commands.add_parser("ack", help="close an incident: a person has dealt with it")
    ack.add_argument("incident", help="its id, as `stokerctl status` shows it")
    _add_person(ack)
    ack.add_argument("--json", action="store_true", help="print what was taken on")
    kept = commands.add_parser("maintenance", help="keep this node as it is for a while")
    maintenance_command.arguments(kept, _person())
    examine = commands.add_parser("doctor", help="what is wrong here, and how is it put right?")
    examine.add_argument("--json", action="store_true", help="print all findings as one document")
    examine.add_argument("--all", action="store_true", help="show notes too")
    brakectl.add(commands.add_parser("brake", help="who holds a slot of the fleet brake, and why"))
    _add_simulate(commands.add_parser("simulate", help="what would have been done about a log?"))
    return parser


def _add_person(command: argparse.ArgumentParser) -> None:
    command.add_argument("--reason", required=True, help="why, for the audit log")
    command.add_argument("--by", default=_person(), help="who asks (default: %(default)s)")


def _add_simulate(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", help="what dmesg or journalctl -k prints, or - to read it here")
    command.add_argument("--json", action="store_true", help="print the steps")
    command.add_argument(
        "--spec",
        type=Path,
        default=Paths().spec,
        help="whose check_xid counts, if it is there (default: %(default)s)",
    )


def _person() -> str:
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _status(agent: client.Agent, *, as_json: bool) -> int:
    snapshot = agent.status()
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(snapshot)).decode())
    else:
        print(show.status(snapshot, now=time.time()))
    return 0


def _why(agent: client.Agent, options: argparse.Namespace) -> int:
    snapshot = agent.status()
    names = [options.engine] if options.engine else list(snapshot.engines)
    if not names:
        raise StokerError("this host has no engine")
    if names[0] not in snapshot.engines:
        known = ", ".join(snapshot.engines)
        raise StokerError(f"no engine {names[0]!r} here; there are: {known}")
    try:
        records = audit.tail(options.audit, why.LOOK_BACK)
    except OSError as error:
        problem = f"{options.audit}: {error.strerror}; try with sudo to see the decisions too"
        print(f"stokerctl: {problem}", file=sys.stderr)
        records = ()
    told = [why.explain(snapshot, name, records) for name in names]
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        print("\n\n".join(show_why.why(one, time.time()) for one in told))
    return 0


def _acknowledge(agent: client.Agent, options: argparse.Namespace) -> int:
    done = agent.acknowledge(options.incident, options.by, options.reason)
    if options.json:
        print(msgspec.json.encode(done).decode())
    else:
        print(f"{done.incident}: closed by {done.by}: {done.reason}")
    return 0


def _alone(options: argparse.Namespace) -> int:
    """Do what needs no agent."""
    if options.command == "maintenance":
        return maintenance_command.main(options)
    if options.command == "doctor":
        return doctor.main(as_json=options.json, notes=options.all)
    return _simulate(options)


def _simulate(options: argparse.Namespace) -> int:
    """Replay by the rules of this node, where there is a spec; by the defaults anywhere else."""
    try:
        spec = load(options.spec.read_bytes())
    except FileNotFoundError:
        return simulate.main(options.file, as_json=options.json)
    except (OSError, *GARBLED) as error:
        raise StokerError(f"{options.spec}: {error}") from error
    setting = simulate.Setting(
        overrides=catalogue.overrides(spec.check.xid), companions=spec.agent.companion_window
    )
    return simulate.main(options.file, as_json=options.json, setting=setting)


if __name__ == "__main__":
    sys.exit(main())
