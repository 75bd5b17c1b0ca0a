"""The firewall's rules: loaded for a while, and kept only if a new SSH connection still comes in.

The node itself takes the new rules back when nobody confirms them in time, so that a deploy which
locks itself out, or dies, leaves the host as it was.
"""

from collections.abc import Generator
from hashlib import sha256
from typing import Literal

from msgspec import Struct
from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from typing_extensions import override

from agent.drift.manifest import File
from fleet import manifest
from fleet.facts.paths import PathStates
from fleet.operations.file import place
from fleet.operations.stop import fail
from fleet.operations.told import Told
from fleet.reach import NewConnection, Reach
from fleet.release import given

SECONDS = 120  # that the new rules have to be confirmed
_NEW = NewConnection()

# Compared by nft itself: the file is loaded into an empty network of its own, and listed there.
_LIVE = """
list='nft -s list table inet stoker'
live=$($list 2>/dev/null) || { echo none; exit 0; }
made=$(unshare --net sh -c "nft -f \\"\\$0\\" && $list" "$file" 2>/dev/null)
[ "$made" ] || { echo unknown; exit 0; }
[ "$live" = "$made" ] && echo same || echo other
"""

_UNIT = "stoker-firewall-revert"
# What a deploy that died had loaded is taken back first: it is not what the host had.
_LOAD = f"""
set -e; umask 077; d=/run/stoker-firewall; mkdir -p "$d"; cat >"$d/new.nft"
if systemctl is-active -q {_UNIT}.timer; then
  systemctl start {_UNIT}.service; systemctl stop {_UNIT}.timer
fi
nft -c -f "$d/new.nft"
{{ printf 'table inet stoker\\ndelete table inet stoker\\n'
  nft list table inet stoker 2>/dev/null || true; }} >"$d/former.nft"
nft -c -f "$d/former.nft"
rm -f "$d/reverted"
systemctl reset-failed {_UNIT}.timer {_UNIT}.service 2>/dev/null || true
systemd-run -q --collect --unit={_UNIT} --property=Type=oneshot --on-active="$seconds" \\
  --timer-property=AccuracySec=1s /bin/sh -c 'touch "$0/reverted"; nft -f "$0/former.nft"' "$d"
nft -f "$d/new.nft"
"""
# At once, if the old connection lasts; the timer may have been faster.
_REVERT = f"""
d=/run/stoker-firewall
systemctl start {_UNIT}.service 2>/dev/null || [ -e "$d/reverted" ] || nft -f "$d/former.nft"
code=$?; systemctl stop {_UNIT}.timer 2>/dev/null; exit $code
"""
_KEEP = f"""
set -e; d=/run/stoker-firewall
install -m 644 -o root -g root "$d/new.nft" "$file.stoker-new"
systemctl stop {_UNIT}.timer 2>/dev/null || true
if [ -e "$d/reverted" ]; then
  rm -f "$file.stoker-new"
  echo "with the new firewall rules no new SSH connection came in for too long;" \
    "the former rules are back: see firewall_ssh_from" >&2
  exit 1
fi
! systemctl is-active -q {_UNIT}.timer
mv -fT "$file.stoker-new" "$file"; rm -rf "$d"
"""
_GONE = """
systemctl disable --now stoker-firewall.service 2>/dev/null
nft delete table inet stoker 2>/dev/null
rm -f "$file" "$unit"; systemctl daemon-reload
"""


class Live(Struct, frozen=True):
    """The rules in the kernel, beside those that the file would make."""

    rules: Literal["same", "other", "none", "unknown"] = "unknown"


class LiveRules(FactBase[Live]):
    """Compares the table that is loaded with the file at `path`."""

    @override
    @staticmethod
    def default() -> Live:
        return Live()

    @override
    def command(self, path: str) -> StringCommand:
        return StringCommand("file=", QuoteString(path), ";", _LIVE, _separator="")

    @override
    def process(self, output: list[str]) -> Live:
        for word in ("same", "other", "none"):
            if output == [word]:
                return Live(word)
        return Live()


@operation()
def firewall_rules(
    path: str, rules: str, *, closes: str = "", seconds: int = SECONDS, reach: Reach = _NEW
) -> Generator[StringCommand]:
    """Load `rules` unless they are, and put them into `path` once a new connection came in.

    `closes` names ports that were open and will not be; it is told as the rules are loaded.
    """
    digest = sha256(rules.encode()).hexdigest()
    wanted = File(sha256=digest, mode="644", user="root", group="root")
    manifest.of(host).files[path] = wanted
    lies = host.get_fact(PathStates, paths=[path]).get(path) == wanted
    live = host.get_fact(LiveRules, path=path).rules
    if lies and live in {"same", "unknown"}:
        host.noop("the firewall's rules are loaded")
        return
    if not reach.by_ssh(host):
        if lies:  # they were confirmed when they came; somebody has changed what is loaded
            yield StringCommand("nft -f", QuoteString(path))
        elif given.reached():  # they were confirmed when this release was deployed
            yield from place(path, rules, "644", "root:root", "nft -c -f")
            yield StringCommand("nft -f", QuoteString(path))
        else:
            yield fail("the firewall's new rules need a deploy over SSH, which tries them out")
        return
    told = ["echo", QuoteString(f"closed from now on, except by firewall_allow: {closes}"), ";"]
    seconds_ = f"seconds={seconds};"
    yield Told(*(told if closes else []), seconds_, _LOAD, _stdin=rules)
    if why := reach.again(host):
        yield StringCommand(_REVERT)
        yield fail(
            f"with the new firewall rules no new SSH connection comes in ({why}); the former "
            f"rules are back: see firewall_ssh_from"
        )
        return
    yield StringCommand("file=", QuoteString(path), ";", _KEEP, _separator="")


@operation()
def firewall_gone(path: str, unit: str) -> Generator[StringCommand]:
    """Take our rules, and what loads them at boot, away; rules of others stay."""
    there = host.get_fact(PathStates, paths=[path, unit])
    if not there and host.get_fact(LiveRules, path=path).rules in {"none", "unknown"}:
        host.noop("no rule of ours is loaded")
        return
    names = ["file=", QuoteString(path), "; unit=", QuoteString(unit), ";"]
    yield StringCommand(*names, _GONE, _separator="")
