"""The firewall: its rules, what is in their way, and how they are tried out first."""

from hashlib import sha256
from typing import Any

import pytest

from agent.drift.manifest import File
from agent.errors import SpecError
from fleet import firewall, manifest
from fleet.facts import doors
from fleet.facts.bare import Bare
from fleet.facts.doors import Doors, Open
from fleet.facts.paths import PathStates
from fleet.operations.firewall import Live, LiveRules, firewall_gone, firewall_rules
from tests.fleet.samples import FakeHost, commands, spec
from tests.fleet.test_rendered import golden

PLAIN = spec()
NARROW = spec(
    agent_listen="0.0.0.0",
    firewall_ssh_from=("192.0.2.7", "198.51.100.0/24", "198.51.100.128/25", "2001:db8::/32"),
    firewall_read_from=("10.0.0.0/8",),
    firewall_allow={"9100": ("10.0.0.0/8",), "51820/udp": ("0.0.0.0/0",)},
)
PATH = firewall.PATH
RULES = "table inet stoker { }\n"
LIES = File(sha256=sha256(RULES.encode()).hexdigest(), mode="644", user="root", group="root")


def bare(**found: Any) -> Bare:
    return Bare(os="debian-13", machine="x86_64", python="3.13", doors=Doors(**found))


@pytest.mark.parametrize(("name", "made", "ssh"), [("one", PLAIN, ()), ("two", NARROW, (22, 2222))])
def test_rules(name: str, made: Any, ssh: tuple[int, ...]) -> None:
    golden(f"firewall.nft-{name}", firewall.rules(made, ssh))


def test_ssh_is_open_where_sshd_listens_and_nothing_else_is_by_itself() -> None:
    names = [name for one in firewall.openings(PLAIN, (2222,)) for name in one.names]
    assert names == ["2222/tcp", "80/tcp", "443/tcp"]
    names = [name for one in firewall.openings(PLAIN, ()) for name in one.names]
    assert names == ["22/tcp", "80/tcp", "443/tcp"]


def test_a_port_of_others_is_open_for_whom_it_names_also_when_a_container_publishes_it() -> None:
    text = firewall.rules(NARROW, (22,))
    assert 'ip saddr { 10.0.0.0/8 } tcp dport { 9100 } accept comment "9100"' in text
    assert "ip saddr { 10.0.0.0/8 } meta l4proto tcp ct original proto-dst { 9100 } accept" in text
    assert "meta nfproto ipv4 udp dport { 51820 } accept" in text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"firewall_ssh_from": ()}, ["firewall_ssh_from", "empty", "firewall_enabled = False"]),
        ({"firewall_ssh_from": ("10.0.0.0/33",)}, ["10.0.0.0/33", "no network"]),
        ({"firewall_ssh_from": ("10.0.0.1/8",)}, ["'10.0.0.1/8'", "'10.0.0.0/8'", "'10.0.0.1'"]),
        ({"firewall_read_from": ("1.2.3",)}, ["firewall_read_from", "1.2.3"]),
        ({"firewall_read_from": ("example.com",)}, ["firewall.read_from"]),
        ({"firewall_allow": {"9100/sctp": ("10.0.0.0/8",)}}, ["9100/sctp", "51820/udp"]),
        ({"firewall_allow": {"65536": ("10.0.0.0/8",)}}, ["65536"]),
        ({"firewall_allow": {"9100": ()}}, ["9100", "nobody"]),
        ({"firewall_allow": {"9100": ("2001:db8::1/32",)}}, ["'2001:db8::/32'"]),
        ({"firewall_allow": {"8080": ("10.0.0.0/8",)}}, ["8080", "engine main", "443"]),
    ],
)
def test_a_wrong_setting_is_one_sentence(data: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(SpecError) as refusal:
        spec(**data)
    [sentence] = str(refusal.value).splitlines()
    for word in words:
        assert word.replace(".", "_", 1) in sentence or word in sentence


@pytest.mark.parametrize(
    ("client", "refused"),
    [
        ("192.0.2.7", False),
        ("::ffff:192.0.2.7", False),
        ("198.51.100.200", False),
        ("2001:db8::5", False),
        ("fe80::1%eth0", True),
        ("192.0.2.8", True),
        ("", False),  # on the node itself
    ],
)
def test_who_deploys_is_never_locked_out(client: str, refused: bool) -> None:
    found = list(firewall.problems(NARROW, bare(client=client)))
    assert len(found) == refused
    assert all(client in one and "firewall_ssh_from" in one for one in found)


def test_beside_another_firewall_ours_is_refused_with_the_ports_to_open() -> None:
    [sentence] = firewall.problems(NARROW, bare(walls=("ufw",), ssh=(2222,)))
    for word in ("ufw", "firewall_enabled = False", "2222/tcp", "443/tcp", "51820/udp"):
        assert word in sentence
    off = spec(firewall_enabled=False)
    assert not list(firewall.problems(off, bare(walls=("ufw",), client="1.2.3.4")))


def test_it_says_what_it_closes() -> None:
    opens = (
        Open("22/tcp", "sshd"),
        Open("9100/tcp", "node_exporter"),
        Open("8000/tcp", "dockerd"),
        Open("443/tcp", "nginx"),
        Open("68/udp", "dhclient"),
        Open("53/udp"),
    )
    found = bare(ssh=(22,), open=opens)
    assert (
        firewall.closes(PLAIN, found) == "53/udp (?), 8000/tcp (dockerd), 9100/tcp (node_exporter)"
    )
    assert "9100" not in firewall.closes(NARROW, found)
    [warning] = firewall.warnings(PLAIN, found)
    assert "9100/tcp (node_exporter); firewall_allow" in warning
    assert not list(firewall.warnings(spec(firewall_enabled=False), found))


def test_the_look_is_read() -> None:
    found = doors.read(
        {
            "ssh": ["10.0.0.1 50000 10.0.0.9 2222"],
            "sshd": ["22", "22"],
            "open": ["22/tcp sshd", "22/tcp sshd", "9/udp "],
            "wall": ["ufw"],
        }
    )
    assert (found.client, found.ssh, found.walls) == ("10.0.0.1", (22, 2222), ("ufw",))
    assert found.open == (Open("22/tcp", "sshd"), Open("9/udp"))
    assert doors.read({}) == Doors()


class Way:
    """A way to the host that works, or does not for the reason given."""

    def __init__(self, why: str = "", *, ssh: bool = True) -> None:
        self.why, self.ssh, self.asked = why, ssh, 0

    def by_ssh(self, _: object) -> bool:
        return self.ssh

    def again(self, _: object) -> str:
        self.asked += 1
        return self.why


def run(way: Way, *, lies: bool, live: str, closes: str = "") -> list[str]:
    host = FakeHost({PathStates: {PATH: LIES} if lies else {}, LiveRules: Live(live)})  # type: ignore[arg-type]
    made = commands(host, lambda: firewall_rules._inner(PATH, RULES, closes=closes, reach=way))
    assert manifest.of(host).files == {PATH: LIES}  # type: ignore[arg-type]
    assert bool(made) != bool(host.noops)
    return [command.get_raw_value() for command in made]


def test_what_is_loaded_is_no_change() -> None:
    assert run(Way(), lies=True, live="same") == []
    assert run(Way(), lies=True, live="unknown") == []  # unknown is no reason to act


@pytest.mark.parametrize(("lies", "live"), [(True, "none"), (True, "other"), (False, "same")])
def test_new_rules_are_kept_only_after_a_new_connection(lies: bool, live: str) -> None:
    way = Way()
    load, keep = run(way, lies=lies, live=live)
    assert way.asked == 1
    # The revert stands before the rules are loaded, and goes before the file is there.
    assert load.index("nft -c") < load.index("systemd-run") < load.index('nft -f "$d/new.nft"')
    assert "--on-active" in load
    assert keep.index("systemctl stop stoker-firewall-revert.timer") < keep.index("mv -fT")


def test_without_a_new_connection_the_former_rules_come_back_and_it_fails() -> None:
    load, revert, fail = run(Way("timed out"), lies=False, live="none")
    assert "systemd-run" in load
    assert "systemctl start stoker-firewall-revert.service" in revert
    assert "mv -fT" not in revert
    assert "timed out" in fail
    assert fail.endswith("exit 1")


def test_on_the_node_itself_only_rules_that_were_tried_out_are_loaded() -> None:
    [again] = run(Way(ssh=False), lies=True, live="other")
    assert again == f"nft -f {PATH}"
    [fail] = run(Way(ssh=False), lies=False, live="none")
    assert "over SSH" in fail
    assert fail.endswith("exit 1")


def test_what_it_closes_is_told() -> None:
    assert "9100" in run(Way(), lies=False, live="none", closes="9100/tcp (x)")[0]
    assert "closed from now on" not in run(Way(), lies=False, live="none")[0]


def test_it_goes_away_without_a_trace_when_it_is_switched_off() -> None:
    there = FakeHost({PathStates: {PATH: LIES}, LiveRules: Live("same")})
    [gone] = commands(there, lambda: firewall_gone._inner(PATH, firewall.UNIT))
    assert "nft delete table inet stoker" in gone.get_raw_value()
    assert "flush" not in gone.get_raw_value()
    never = FakeHost({PathStates: {}, LiveRules: Live("none")})
    assert commands(never, lambda: firewall_gone._inner(PATH, firewall.UNIT)) == []
