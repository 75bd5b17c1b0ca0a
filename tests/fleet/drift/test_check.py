"""A check against a deploy that is only a list: what is run, and what is told."""

import time
from collections.abc import Collection, Iterable

import pytest

from agent.drift.report import Finding, Kind, Report
from agent.errors import ActionError, SourceError
from agent.spec import DriftSpec
from fleet.drift.asked import Asked
from fleet.drift.check import check
from fleet.drift.policy import Standing

HOLD = "apt-mark hold docker-ce"
NOW = time.mktime((2026, 11, 28, 3, 0, 0, 0, 0, -1))  # three in the morning, here
WINDOW = DriftSpec(window="02:00-04:00")
DOCKER = ("runtime", "merge /etc/docker/daemon.json", "cat >daemon.json")
RESTART = ("runtime", "run Docker with this", None)


class FakeDeploy:
    """Operations as (stage, name, first command or None); `failing` fails when they are run."""

    def __init__(self, *operations: tuple[str, str, str | None], failing: str = "") -> None:
        self.operations, self.failing = operations, failing
        self.release: list[Finding] = []
        self.others: list[Finding] = []
        self.ran: list[str] = []
        self.again: list[bool] = []
        self.journal: list[str] = []

    def ask(self) -> tuple[Asked, ...]:
        return tuple(
            Asked(key=f"k{number}", stage=stage, name=name, first=first)
            for number, (stage, name, first) in enumerate(self.operations)
        )

    def broken(self) -> Iterable[Finding]:
        return self.release

    def strange(self) -> Iterable[Finding]:
        return self.others

    def run(self, keys: Collection[str], *, again: bool) -> dict[str, str]:
        chosen = [(f"k{n}", name) for n, (_, name, _) in enumerate(self.operations)]
        self.again.append(again)
        ran = [name for key, name in chosen if key in keys]
        self.ran += ran
        self.journal += ran
        return {
            key: "no space left" for key, name in chosen if key in keys and name == self.failing
        }


def findings(fake: FakeDeploy, **settings: object) -> list[tuple[str, bool]]:
    spec = DriftSpec(**settings)  # type: ignore[arg-type]
    return [(one.operation, not one.left) for one in run(fake, spec)]


class FakeEngines:
    """Engines that are in the way, or not; `refuses` is why they cannot be drained."""

    def __init__(self, refuses: str = "", stuck: str = "") -> None:
        self.refuses, self.stuck, self.journal = refuses, stuck, list[str]()

    def begin(self) -> str:
        self.journal.append("drain")
        return self.refuses

    def end(self) -> None:
        self.journal.append("undrain")
        if self.stuck:
            raise ActionError(self.stuck)

    def copy(self) -> str:
        return ""


def run(fake: FakeDeploy, spec: DriftSpec, engines: FakeEngines | None = None) -> list[Finding]:
    return list(check(fake, spec, Standing(), NOW, engines or FakeEngines()))


def test_a_converged_node_is_only_asked() -> None:
    fake = FakeDeploy(("base", "a", None), ("engine", "b", None))
    assert findings(fake) == []
    assert fake.ran == []


def test_a_reload_that_follows_a_correction_is_made_with_it() -> None:
    fake = FakeDeploy(
        ("gateway", "place conf", "cat >conf"),
        ("gateway", "run nginx with this", None),
        ("runtime", "install and hold docker-ce", None),
        ("runtime", "run Docker with this", None),
        ("engine", "run the engines", None),
    )
    assert findings(fake) == [("place conf", True)]
    assert fake.ran == ["place conf", "run nginx with this"]


def test_a_lost_hold_is_put_back_but_nothing_is_installed() -> None:
    fake = FakeDeploy(
        ("runtime", "install and hold docker-ce", HOLD),
        ("driver", "install and hold nvidia", "apt-get install nvidia"),
    )
    assert findings(fake) == [
        ("install and hold docker-ce", True),
        ("install and hold nvidia", False),
    ]
    assert fake.ran == ["install and hold docker-ce"]


def test_report_only_runs_nothing() -> None:
    fake = FakeDeploy(("gateway", "place conf", "cat"))
    assert findings(fake, mode="report") == [("place conf", False)]
    assert fake.ran == []


def test_a_correction_that_fails_is_told_with_its_last_words() -> None:
    fake = FakeDeploy(("gateway", "place conf", "cat"), failing="place conf")
    [one] = run(fake, DriftSpec())
    assert one.left == "putting it right failed: no space left"
    assert Report(at=0, release="r", findings=(one,)).code == 2


def test_not_being_able_to_look_is_no_drift() -> None:
    class Blind(FakeDeploy):
        def ask(self) -> tuple[Asked, ...]:
            raise SourceError("no answer")

    with pytest.raises(SourceError):
        run(Blind(), DriftSpec())
    assert Report(at=0, release="r", problem="no answer").code == 1


ALWAYS = DriftSpec(window="00:00-23:59")
MIXED = (
    ("gateway", "place conf", "cat >conf"),
    ("engine", "run the engines", "stokerctl restart main"),
)
STRANGE = Finding(stage="drift", operation="x", kind=Kind.NEVER, left="a person")


def test_a_restart_of_engines_drains_by_itself_and_is_not_tried_twice() -> None:
    fake, engines = FakeDeploy(*MIXED), FakeEngines()
    assert all(not one.left for one in run(fake, ALWAYS, engines))
    assert fake.ran == ["place conf", "run the engines"]
    assert fake.again == [True, False]  # an engine that did not come up is not restarted again
    assert engines.journal == []


def test_nobody_is_drained_for_what_traffic_does_not_notice_and_no_engine_follows_it() -> None:
    fake, engines = (
        FakeDeploy(MIXED[0], ("engine", "run the engines", None), RESTART),
        FakeEngines(),
    )
    run(fake, ALWAYS, engines)
    assert fake.ran == ["place conf"]
    assert engines.journal == []


def test_what_no_operation_puts_right_is_reported_beside_the_rest() -> None:
    fake = FakeDeploy(MIXED[0])
    fake.others = [STRANGE]
    assert [one.operation for one in run(fake, ALWAYS)] == ["place conf", "x"]
    assert fake.ran == ["place conf"]


def test_nothing_of_a_release_that_was_changed_is_asked_or_carried_out() -> None:
    fake = FakeDeploy(MIXED[0])
    fake.release = [STRANGE]
    assert run(fake, ALWAYS) == [STRANGE]
    assert fake.ran == []


def test_no_engine_restarts_while_something_else_could_not_be_put_right() -> None:
    fake, engines = FakeDeploy(*MIXED, DOCKER, failing="place conf"), FakeEngines()
    conf, main, docker = run(fake, ALWAYS, engines)
    assert conf.left.startswith("putting it right failed")
    assert main.left == "engines would restart, and gateway | place conf could not be put right"
    assert docker.left == main.left
    assert fake.ran == ["place conf"]
    assert engines.journal == []


def test_a_file_that_an_operation_is_about_is_not_reported_twice_but_a_unit_is() -> None:
    fake = FakeDeploy(("runtime", "add repository", "keyring=/k.asc; restart x.service"))
    fake.others = [
        Finding(stage="drift", operation="/k.asc is not as", kind=Kind.NEVER, left="a person"),
        Finding(stage="drift", operation="x.service is changed", kind=Kind.NEVER, left="a person"),
    ]
    names = [one.operation for one in run(fake, ALWAYS)]
    assert names == ["add repository", "x.service is changed"]


def test_what_would_break_engines_off_is_done_while_they_are_drained() -> None:
    fake, engines = FakeDeploy(DOCKER, RESTART), FakeEngines()
    fake.journal = engines.journal
    [one] = run(fake, WINDOW, engines)
    assert one.left == ""
    assert engines.journal == ["drain", DOCKER[1], RESTART[1], "undrain"]


def test_without_a_slot_the_rest_is_put_right_and_no_engine_is_touched() -> None:
    fake, engines = FakeDeploy(*MIXED, DOCKER, RESTART), FakeEngines("no slot within 120 s")
    fake.journal = engines.journal
    said = "no slot within 120 s"
    assert [one.left for one in run(fake, WINDOW, engines)] == ["", said, said]
    assert engines.journal == ["place conf", "drain"]


def test_engines_serve_again_though_the_correction_breaks() -> None:
    class Breaking(FakeDeploy):
        def run(self, keys: Collection[str], *, again: bool) -> dict[str, str]:
            raise SourceError("the deploy broke")

    engines = FakeEngines()
    with pytest.raises(SourceError):
        run(Breaking(DOCKER), WINDOW, engines)
    assert engines.journal == ["drain", "undrain"]


def test_an_engine_that_does_not_serve_again_is_reported_beside_what_was_put_right() -> None:
    fake, engines = FakeDeploy(DOCKER, RESTART), FakeEngines(stuck="engine b stays drained: no")
    fake.others = [STRANGE]
    docker, strange, stuck = run(fake, WINDOW, engines)
    assert (docker.left, strange, stuck.left) == ("", STRANGE, engines.stuck)
    assert Report(at=0, release="r", findings=(stuck,)).code == 2


def test_outside_the_window_nobody_is_drained() -> None:
    engines = FakeEngines()
    [one] = run(FakeDeploy(DOCKER), DriftSpec(window="05:00-06:00"), engines)
    assert "outside drift_window" in one.left
    assert engines.journal == []
