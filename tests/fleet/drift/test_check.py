"""A check against a deploy that is only a list: what is run, and what is told."""

from collections.abc import Collection, Iterable

import pytest

from agent.drift.report import Finding, Kind, Report
from agent.errors import SourceError
from agent.spec import DriftSpec
from fleet.drift.asked import Asked
from fleet.drift.check import check
from fleet.drift.policy import Standing

HOLD = "apt-mark hold docker-ce"


class FakeDeploy:
    """Operations as (stage, name, first command or None); `failing` fails when they are run."""

    def __init__(self, *operations: tuple[str, str, str | None], failing: str = "") -> None:
        self.operations, self.failing = operations, failing
        self.release: list[Finding] = []
        self.others: list[Finding] = []
        self.ran: list[str] = []
        self.again: list[bool] = []

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
        self.ran += [name for key, name in chosen if key in keys]
        return {
            key: "no space left" for key, name in chosen if key in keys and name == self.failing
        }


def findings(fake: FakeDeploy, **settings: object) -> list[tuple[str, bool]]:
    spec = DriftSpec(**settings)  # type: ignore[arg-type]
    return [(one.operation, not one.left) for one in check(fake, spec, Standing(), 0.0)]


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
    [one] = check(fake, DriftSpec(), Standing(), 0.0)
    assert one.left == "putting it right failed: no space left"
    assert Report(at=0, release="r", findings=(one,)).code == 2


def test_not_being_able_to_look_is_no_drift() -> None:
    class Blind(FakeDeploy):
        def ask(self) -> tuple[Asked, ...]:
            raise SourceError("no answer")

    with pytest.raises(SourceError):
        check(Blind(), DriftSpec(), Standing(), 0.0)
    assert Report(at=0, release="r", problem="no answer").code == 1


class FakeSlot:
    """Refuses with `why`, if there is a reason."""

    def __init__(self, why: str = "") -> None:
        self.why, self.heard = why, list[str]()

    def take(self) -> str:
        self.heard.append("take")
        return self.why

    def leave(self) -> None:
        self.heard.append("leave")


ALWAYS = DriftSpec(window="00:00-23:59")
MIXED = (
    ("gateway", "place conf", "cat >conf"),
    ("engine", "run the engines", "stokerctl restart main"),
)
STRANGE = Finding(stage="drift", operation="x", kind=Kind.NEVER, left="a person")


def test_engines_restart_with_the_slot_of_the_fleet() -> None:
    fake, slot = FakeDeploy(*MIXED), FakeSlot()
    assert all(not one.left for one in check(fake, ALWAYS, Standing(), 0.0, slot))
    assert fake.ran == ["place conf", "run the engines"]
    assert fake.again == [True, False]  # an engine that did not come up is not restarted again
    assert slot.heard == ["take", "leave"]


def test_without_the_slot_only_what_traffic_does_not_notice_is_put_right() -> None:
    fake, slot = FakeDeploy(*MIXED), FakeSlot("node-2 has it")
    safe, engines = check(fake, ALWAYS, Standing(), 0.0, slot)
    assert not safe.left
    assert "node-2 has it" in engines.left
    assert fake.ran == ["place conf"]
    assert slot.heard == ["take"]


def test_no_slot_is_asked_for_what_traffic_does_not_notice_and_no_engine_follows_it() -> None:
    fake, slot = FakeDeploy(MIXED[0], ("engine", "run the engines", None)), FakeSlot()
    check(fake, ALWAYS, Standing(), 0.0, slot)
    assert fake.ran == ["place conf"]
    assert slot.heard == []


def test_what_no_operation_puts_right_is_reported_beside_the_rest() -> None:
    fake = FakeDeploy(MIXED[0])
    fake.others = [STRANGE]
    assert [one.operation for one in check(fake, ALWAYS, Standing(), 0.0)] == ["place conf", "x"]
    assert fake.ran == ["place conf"]


def test_nothing_of_a_release_that_was_changed_is_asked_or_carried_out() -> None:
    fake = FakeDeploy(MIXED[0])
    fake.release = [STRANGE]
    assert check(fake, ALWAYS, Standing(), 0.0) == (STRANGE,)
    assert fake.ran == []


def test_no_engine_restarts_while_something_else_could_not_be_put_right() -> None:
    fake, slot = FakeDeploy(*MIXED, failing="place conf"), FakeSlot()
    conf, engines = check(fake, ALWAYS, Standing(), 0.0, slot)
    assert conf.left.startswith("putting it right failed")
    assert engines.left == "engines would restart, and gateway | place conf could not be put right"
    assert fake.ran == ["place conf"]
    assert slot.heard == []


def test_a_file_that_an_operation_is_about_is_not_reported_twice_but_a_unit_is() -> None:
    fake = FakeDeploy(("runtime", "add repository", "keyring=/k.asc; restart x.service"))
    fake.others = [
        Finding(stage="drift", operation="/k.asc is not as", kind=Kind.NEVER, left="a person"),
        Finding(stage="drift", operation="x.service is changed", kind=Kind.NEVER, left="a person"),
    ]
    names = [one.operation for one in check(fake, ALWAYS, Standing(), 0.0)]
    assert names == ["add repository", "x.service is changed"]
