"""Traces of which none may take a GPU out of service."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from tests.corpus import labels, noise
from tests.corpus.fatal import NONE, PIDS, REBOOT, REGISTERS, RESET
from tests.corpus.forms import Said, Sample
from tests.corpus.lines import BUS, ENGINE, PEER, changed, xid

EACH = 13  # traces of a family that is made by chance
Maker = Callable[[random.Random], list[Said]]


def families() -> dict[str, list[Sample]]:
    """Return all traces, by the file they go to."""
    made = {name: list(_many(name, maker)) for name, maker in _BY_CHANCE.items()}
    return {**made, "catalogue": list(_catalogue()), "unexpected": list(_unexpected())}


def _many(name: str, maker: Maker) -> Iterator[Sample]:
    for number in range(EACH):
        yield Sample(f"{number:02}", "none", maker(random.Random(f"{name}/{number}")), PIDS)


def _catalogue() -> Iterator[Sample]:
    """Each row that leads to nothing for an engine, and each process's fault that is another's."""
    for row in labels.catalogue():
        number, right = int(row["xid"]), labels.expected(row)
        if number in labels.BY_TEXT or row["severity"] == "unknown":
            continue
        if right == "none":
            yield Sample(f"{number}-engine", "none", [Said(1.0, xid(number, pid=ENGINE))], PIDS)
        if right == "restart":
            yield Sample(f"{number}-other", "none", [Said(1.0, xid(number, pid=17))], PIDS)
            yield Sample(f"{number}-unknown", "none", [Said(1.0, xid(number))], PIDS)


def _unexpected() -> Iterator[Sample]:
    """Numbers that NVIDIA does not expect: a second sign is needed (rule 15)."""
    for row in labels.catalogue():
        if row["severity"] == "unknown":
            yield Sample(row["xid"], "none", [Said(1.0, xid(int(row["xid"])))], PIDS)
    for number in (177, 250, 999):
        yield Sample(f"{number}", "none", [Said(1.0, xid(number))], {**PIDS, "probe": "good"})


def _mixed(words: Sequence[str], program: str | None = None) -> Maker:
    """Return a maker of logs with these messages in order, strewn into the noise of a host."""

    def make(chance: random.Random) -> list[Said]:
        chosen = sorted(chance.sample(range(len(words)), chance.randint(2, len(words))))
        said = [Said(0.0, words[at], program) for at in chosen]
        return _strewn(said, chance)

    return make


def _faults(*numbers: int) -> Maker:
    """Return a maker of logs with process faults of somebody else, now and again."""

    def make(chance: random.Random) -> list[Said]:
        said = []
        for _ in range(chance.randint(1, 4)):
            pid = chance.randint(10, 4000)
            number, style = chance.choice(numbers), chance.choice((0, 1))
            said += [Said(0.0, xid(number, pid=pid, style=style))] * chance.randint(1, 3)
            said.append(Said(0.0, xid(45, pid=pid)))
        return _strewn(said, chance)

    return make


def _strewn(said: Sequence[Said], chance: random.Random) -> list[Said]:
    at, found = 0.0, []
    for one in said:
        for text in chance.sample(noise.QUIET, chance.randint(0, 3)):
            at += chance.uniform(0.001, 400.0)
            found.append(Said(at, text))
        at += chance.uniform(0.001, 20.0)
        found.append(Said(at, one.text, one.program))
    return found


def _quiet(chance: random.Random) -> list[Said]:
    return _strewn([Said(0.0, chance.choice(noise.QUIET)) for _ in range(20)], chance)


def _boot(chance: random.Random) -> list[Said]:
    words = [*noise.BOOT, *noise.DRIVER, *chance.sample(noise.INFORM, 4)]
    return [Said(n / 10, text) for n, text in enumerate(words)]


def _upgrade(chance: random.Random) -> list[Said]:
    words = [*noise.UNLOAD, *noise.DRIVER, noise.INFORM[4], *chance.sample(noise.INFORM, 3)]
    return _strewn([Said(0.0, text) for text in words], chance)


def _remapped(chance: random.Random) -> list[Said]:
    gpus = (BUS, PEER)
    said = [Said(0.0, xid(63, bus=chance.choice(gpus))) for _ in range(chance.randint(1, 6))]
    return _strewn(said, chance)


def _recovered(chance: random.Random) -> list[Said]:
    """The driver takes back what it asked for; the log begins after it asked."""
    former = chance.choice((RESET, REBOOT, "0x3 (Drain P2P)", "0x4 (Drain and Reset)"))
    said = [Said(0.0, changed(former, NONE))] * chance.randint(1, 2)
    if chance.random() < 0.5:
        said.append(Said(0.0, changed(NONE, "0x5 (Recover IMEX Domain)")))
    return _strewn(said, chance)


def _switch(chance: random.Random) -> list[Said]:
    said = []
    for _ in range(chance.randint(1, 12)):
        head = f"nvidia-nvswitch{chance.randint(0, 3)}: SXid (PCI:0000:c3:00.0): "
        number, link = chance.choice((12028, 20009, 28006)), chance.randint(0, 60)
        said.append(Said(0.0, f"{head}{number}, Non-fatal, Link {link} RX Short Error Rate"))
        said.append(Said(0.0, f"{head}{number}, Severity 0 Engine instance {link} Sub-engine 00"))
    return _strewn(said, chance)


def _link(chance: random.Random) -> list[Said]:
    """74 with bits that NVIDIA calls safe to ignore, or a threshold of corrected errors."""
    first = sum(1 << bit for bit in chance.sample((0, 23, 30), 2))
    fifth = sum(1 << bit for bit in chance.sample((20, 23, 26, 29), 2))
    words = f"(0x{first:x}, 0x0, 0x0, 0x0, 0x{fifth:x}, 0x0, 0x0)"
    return _strewn([Said(0.0, xid(74, f"{REGISTERS}{words}"))], chance)


def _reset(chance: random.Random) -> list[Said]:
    said = [
        Said(0.0, f"stoker: gpu {BUS}.0 reset done"),
        Said(0.0, "GPU reset executed: GPU-f1648d72-c7c8-9814-2832-7a062b009188, success: true"),
        Said(0.0, xid(43, pid=17)),
    ]
    return _strewn(said, chance)


_BY_CHANCE: dict[str, Maker] = {
    "quiet": _quiet,
    "boot": _boot,
    "driver-upgrade": _upgrade,
    "driver-informs": _mixed(noise.INFORM),
    "pcie-boards": _mixed(noise.PCIE_ONLY),
    "mig-changes": _mixed(noise.MIG),
    "aer-corrected": _mixed(noise.CORRECTED),
    "oom-of-others": _mixed(noise.KILLED),
    "daemon-reload": _mixed(noise.RELOAD, "systemd"),
    "chatter": _mixed(noise.CHATTER, "python3"),
    "garbage": _mixed(noise.GARBAGE),
    "13-of-others": _faults(13),
    "31-of-others": _faults(31),
    "43-of-others": _faults(43),
    "45-of-others": _faults(45),
    "94-of-others": _faults(94),
    "media-of-others": _faults(68, 82, 83, 84, 99, 139),
    "copy-of-others": _faults(39, 40, 32, 69, 80),
    "63-remapped": _remapped,
    "154-to-none": _recovered,
    "sxid-non-fatal": _switch,
    "74-safe": _link,
    "reset-seen": _reset,
}
