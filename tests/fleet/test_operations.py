"""What operations would run, given what they find."""

from hashlib import sha256

from pyinfra.api.hiddenvalue import HiddenValue

from agent.drift.manifest import Directory, File, Package, Unit
from agent.spec import digest
from fleet import manifest
from fleet.applying import When
from fleet.facts.digest import Digests, StartedWith
from fleet.facts.engines import AgentStatus, Engine, State, Status
from fleet.facts.packages import Installed
from fleet.facts.paths import PathStates, Text
from fleet.facts.units import UnitStates
from fleet.operations.directories import directories
from fleet.operations.engines_current import engines_current
from fleet.operations.file import place
from fleet.operations.link import link
from fleet.operations.packages import packages
from fleet.operations.repository import Repository, repository
from fleet.operations.secret_file import secret_file
from fleet.operations.units import unit_current, unit_known, unit_up
from tests.fleet.samples import FakeHost, commands, spec

CONTENT = "hello\n"
THERE = File(sha256=sha256(CONTENT.encode()).hexdigest(), mode="644", user="root", group="root")
UP = {"ActiveState": "active", "UnitFileState": "enabled"}


def test_a_file_as_wanted_is_no_change_and_is_remembered() -> None:
    host = FakeHost({PathStates: {"/f": THERE}})
    assert commands(host, lambda: place("/f", CONTENT, "644", "root:root")) == []
    assert host.noops
    assert manifest.of(host).files == {"/f": THERE}  # type: ignore[arg-type]


def test_a_new_file_is_checked_before_it_takes_the_place() -> None:
    host = FakeHost({PathStates: {}})
    [command] = commands(host, lambda: place("/f", CONTENT, "644", "root:root", "nginx -t -c"))
    text = command.get_raw_value()
    assert text.index("nginx -t -c") < text.index("mv -fT")
    assert command.connector_arguments["_stdin"] == CONTENT


def test_a_secret_travels_on_stdin_alone() -> None:
    host = FakeHost({PathStates: {}})
    [command] = commands(host, lambda: secret_file._inner("/s", HiddenValue("s3cret")))
    assert command.connector_arguments["_stdin"] == "s3cret\n"
    assert "s3cret" not in command.get_raw_value()
    assert "s3cret" not in repr(command)
    assert "umask 077" in command.get_raw_value()


def test_only_what_is_missing_is_installed_and_only_what_is_free_is_held() -> None:
    host = FakeHost({Installed: {"a": Package(hold=True), "b": Package()}})
    install, hold = commands(host, lambda: packages._inner(["a", "b", "c"], hold=True))
    assert install.get_raw_value().endswith("install c")
    assert hold.get_raw_value() == "apt-mark hold b c"


def test_another_version_of_a_pinned_package_is_replaced() -> None:
    host = FakeHost({Installed: {"a": Package(version="1")}})
    [install] = commands(host, lambda: packages._inner(["a"], versions={"a": "2"}))
    assert install.get_raw_value().endswith("install a=2")


def test_a_key_that_was_tampered_with_is_fetched_again() -> None:
    wanted = Repository(
        name="x", uri="https://x/", suite="/", key="https://x/k", fingerprints=("A",)
    )
    good = File(sha256="1" * 64, mode="644", user="root", group="root")
    text = wanted.deb822()
    source = File(sha256=sha256(text.encode()).hexdigest(), mode="644", user="root", group="root")
    paths = {wanted.keyring: good, wanted.source: source}
    same = FakeHost({PathStates: paths, Text: "1" * 64 + " A"})
    assert commands(same, lambda: repository._inner(wanted)) == []
    rotated = FakeHost({PathStates: paths, Text: "1" * 64 + " B"})
    assert len(commands(rotated, lambda: repository._inner(wanted))) == 2
    other = FakeHost({PathStates: paths, Text: "2" * 64 + " A"})
    fetch, update = commands(other, lambda: repository._inner(wanted))
    assert "gpg --batch --show-keys" in fetch.get_raw_value()
    assert "apt-get -q update" in update.get_raw_value()


def test_a_unit_is_reloaded_only_if_it_was_started_with_a_stamp() -> None:
    def run(digests: Digests, state: dict[str, str]) -> list[str]:
        host = FakeHost({UnitStates: {"u": state}, StartedWith: digests})
        made = commands(host, lambda: unit_current._inner("u", ["/f"], "/s", reload=True))
        return [" ".join(command.get_raw_value().split()[:2]) for command in made]

    assert run(Digests("a", "a"), UP) == []
    assert run(Digests("a", "b"), UP) == ["systemctl reload"]
    assert run(Digests("a", ""), UP) == ["systemctl restart"]
    assert run(Digests("a", "a"), {"UnitFileState": "enabled"}) == ["systemctl restart"]
    assert run(Digests("a", "a"), {"ActiveState": "active"}) == ["systemctl enable"]


def test_what_runs_belongs_into_the_manifest() -> None:
    host = FakeHost({UnitStates: {"u": UP}, StartedWith: Digests("a", "a")})
    commands(host, lambda: unit_current._inner("u", ["/f"], "/s"))
    assert manifest.of(host).units == {"u": Unit(enabled=True, active=True)}  # type: ignore[arg-type]


def test_systemd_reads_again_only_what_it_knows_to_be_stale() -> None:
    fresh = FakeHost({UnitStates: {"u": {"NeedDaemonReload": "no", "LoadState": "loaded"}}})
    assert commands(fresh, lambda: unit_known._inner(["u"])) == []
    stale = FakeHost({UnitStates: {"u": {"NeedDaemonReload": "yes"}}})
    assert len(commands(stale, lambda: unit_known._inner(["u"]))) == 1


def test_a_drop_in_that_systemd_has_not_seen_makes_it_read_again() -> None:
    host = FakeHost({UnitStates: {"u": {"NeedDaemonReload": "no", "DropInPaths": "/a.conf"}}})
    assert commands(host, lambda: unit_known._inner(["u"], "/a.conf")) == []
    assert len(commands(host, lambda: unit_known._inner(["u"], "/b.conf"))) == 1


def _engine(phase: str, running: str | None) -> Status:
    return Status({"main": Engine(State(phase), running)})


def test_an_engine_that_serves_with_old_settings_is_rolled() -> None:
    host = FakeHost({AgentStatus: _engine("SERVING", "old")})
    assert commands(host, lambda: engines_current._inner(spec(), When.NOT_SERVING)) == []
    [command] = commands(host, lambda: engines_current._inner(spec(), When.ALWAYS))
    assert "stokerctl restart main --wait" in command.get_raw_value()


def test_a_roll_restarts_an_engine_that_serves_with_a_slot_of_the_fleet_brake() -> None:
    host = FakeHost({AgentStatus: _engine("SERVING", "old")})
    braked = spec(agent_fleetlock_url="http://lock.example", rollout_slot_wait=90.0)
    [command] = commands(host, lambda: engines_current._inner(braked, When.ALWAYS))
    assert " --slot 90 --by " in command.get_raw_value()
    [command] = commands(host, lambda: engines_current._inner(spec(), When.ALWAYS))
    assert "--slot" not in command.get_raw_value()


def test_a_host_that_does_not_come_back_returns_to_its_former_release() -> None:
    host = FakeHost({AgentStatus: _engine("SERVING", "old")})
    [command] = commands(host, lambda: engines_current._inner(spec(), When.ALWAYS))
    text = command.get_raw_value()
    assert "|| { journalctl _SYSTEMD_UNIT=stoker-engine@main.service -n 12" in text
    assert "lock=" in text
    assert "stoker-release converge" in text
    assert text.endswith("exit 1; }")


def test_it_stays_as_it_is_where_the_operator_wants_that() -> None:
    host = FakeHost({AgentStatus: _engine("SERVING", "old")})
    made = spec(rollout_revert=False)
    [command] = commands(host, lambda: engines_current._inner(made, When.ALWAYS))
    assert "stoker-release" not in command.get_raw_value()
    assert command.get_raw_value().endswith("exit 1; }")


def test_an_engine_that_starts_is_waited_for_and_that_is_no_change() -> None:
    made = spec()
    now = digest(made.engines["main"])
    answers = iter([_engine("STARTING", None), _engine("SERVING", now)])
    host = FakeHost({AgentStatus: lambda **_: next(answers)})
    assert commands(host, lambda: engines_current._inner(made, When.NOT_SERVING)) == []


def test_a_drain_by_a_person_is_not_undone() -> None:
    draining = Status({"main": Engine(State("DRAINING", "ann", "maintenance"), "old")})
    host = FakeHost({AgentStatus: draining})
    [command] = commands(host, lambda: engines_current._inner(spec(), When.ALWAYS))
    assert "somebody else is at it" in command.get_raw_value()
    assert "restart" not in command.get_raw_value()


def test_an_engine_that_never_answers_fails_the_host() -> None:
    host = FakeHost({AgentStatus: lambda **_: _engine("STARTING", None)})
    [command] = commands(host, lambda: engines_current._inner(spec(), When.NOT_SERVING))
    assert "exit 1" in command.get_raw_value()


def test_what_is_in_the_way_of_a_file_is_moved_aside() -> None:
    host = FakeHost({PathStates: {"/f": Directory(mode="755", user="root", group="root")}})
    [command] = commands(host, lambda: place("/f", CONTENT, "644", "root:root"))
    text = command.get_raw_value()
    assert "mv -T /f /f.found-2" in text
    assert text.index(".found-") < text.index("mv -fT /f.stoker-new /f")
    assert "rm -rf" not in text


def test_what_is_in_the_way_of_a_link_or_a_directory_is_moved_aside() -> None:
    there = {"/l": Directory(mode="755", user="root", group="root"), "/d": THERE}
    host = FakeHost({PathStates: there})
    [linked] = commands(host, lambda: link._inner(path="/l", target="/t"))
    assert linked.get_raw_value().startswith("mv -T /l /l.found-")
    [made] = commands(host, lambda: directories._inner({"/d": ("755", "root:root")}))
    assert made.get_raw_value().startswith("mv -T /d /d.found-")


def test_a_unit_that_was_masked_is_let_free() -> None:
    host = FakeHost({UnitStates: {"c.service": {"UnitFileState": "masked"}}})
    first, _ = commands(host, lambda: unit_up._inner("c.service"))
    assert first.get_raw_value() == "systemctl unmask -- c.service && systemctl enable c.service"
    host = FakeHost({UnitStates: {"c.service": {**UP, "UnitFileState": "masked-runtime"}}})
    [one] = commands(host, lambda: unit_up._inner("c.service"))
    assert "unmask --runtime -- c.service" in one.get_raw_value()
