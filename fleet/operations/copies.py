"""Copies of engines that serve while these change: see `fleet.copies`."""

import getpass
from collections.abc import Collection, Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.engines import ENGINES
from agent.paths import engine_unit
from agent.spec import HostSpec, digest
from fleet import manifest
from fleet.applying import Ask, When, ask
from fleet.facts.engines import AgentStatus
from fleet.operations.engines_current import MARGIN, asked


@operation()
def copies_serve(spec: HostSpec, copies: Collection[str]) -> Generator[StringCommand]:
    """Wait until each copy answers a chat. What serves is not touched, whatever comes of it."""
    status = host.get_fact(AgentStatus)
    for name in copies:
        found, settings = status.engines.get(name), digest(spec.engines[name])
        # The agent starts what is new by itself; one of an earlier run may have other settings.
        if found is not None and ask(found, settings, When.ALWAYS) is Ask.RESTART:
            yield asked("restart", name, spec)
        yield asked("undrain", name, spec)  # a drain outlives a restart; who serves is left alone


@operation()
def copies_drained(spec: HostSpec, copies: Collection[str]) -> Generator[StringCommand]:
    """Let the copies finish what is in flight; what is new goes to the engines, which serve."""
    for name in copies:
        manifest.of(host).composed.discard(engine_unit(name))  # its unit goes with it
        engine = spec.engines[name]
        seconds = ENGINES[engine.kind].stop_deadline(engine) + MARGIN
        yield StringCommand(
            "/usr/local/bin/stokerctl drain", QuoteString(name), f"--wait {seconds:.0f}", "--by",
            QuoteString(f"deploy:{getpass.getuser()}"), "--reason", "'the engine serves again'",
            _timeout=int(seconds + MARGIN),
        )  # fmt: skip
