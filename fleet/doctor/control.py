"""This machine's own files: secrets that others may read, certificates that end soon."""

import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from agent.certificate import validity
from agent.checks.certificate import CURES
from agent.doctor.examinations.certificate import covers, ending, names
from agent.doctor.finding import Finding, fault, unknown, warning
from agent.doctor.node import Node
from agent.doctor.secrets import hidden
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.spec import HostSpec

_PAIR = re.compile(r"""["']?([A-Za-z_][A-Za-z0-9_]*)["']?\s*[:=]\s*["']([^"']+)["']""")


def findings(
    node: Node, path: Path, specs: Iterable[HostSpec], faults: Sequence[str], now: float
) -> list[Finding]:
    """Return what is wrong here; `faults` are what `make validate` says of the inventory."""
    told = [fault(one, "put it right in the inventory, then: make validate") for one in faults]
    found = [*_named("configuration", told), *_named("inventory", _inventory(node, path))]
    for cert, spec in {spec.gateway.tls_cert_file: spec for spec in specs if spec.engines}.items():
        if cert and spec.gateway.tls == "files":
            found += _named("certificate", _certificate(node, cert, spec, now))
    return found


def _inventory(node: Node, path: Path) -> Iterator[Finding]:
    """An inventory names files of secrets; a secret itself in it is seen by all who may read it."""
    group_data = node.paths(f"{path.parent}/group_data/*.py")
    for one in (str(path), *group_data):
        text, look = node.text(one), node.look(one)
        if text is None or look is None:
            continue
        variables = sorted({name for name, value in _PAIR.findall(text) if hidden(name, value)})
        if variables and look.mode & stat.S_IRWXO:
            yield warning(
                f"{one} holds {', '.join(variables)} and every user of this machine may read it "
                f"(mode {look.mode:o})",
                f"name a file of its own (chmod 600) for it in the inventory; or chmod 600 {one}",
            )


def _certificate(node: Node, path: str, spec: HostSpec, now: float) -> Iterator[Finding]:
    try:
        text, look = node.text(path), node.look(path)
    except SourceError as error:
        yield unknown(str(error))
        return
    if text is None or look is None:  # told by the faults
        return
    cure = CURES[spec.gateway.tls]
    try:
        for one in ending(validity(text.encode()), now, cure):
            yield replace(one, message=f"{path}: {one.message}")
    except ValueError as error:
        yield fault(f"{path} {error}", cure)
        return
    told, name = names(Seen(node), path), spec.gateway.server_name
    if told and name != "_" and not covers(told, name):
        yield fault(
            f"{path} is for {', '.join(told)}, not for gateway_server_name = {name} of {spec.name}",
            cure,
        )


def _named(examination: str, found: Iterable[Finding]) -> list[Finding]:
    return [replace(one, examination=examination) for one in found]
