"""What is held, asked for and owed at the FleetLock server: the values alone."""

import pytest

from agent import slots
from agent.slots import Slots, Word


def asked(*groups: str, got: tuple[str, ...] = ()) -> Slots:
    held = slots.named(Slots(), "n", 5.0)
    for group in groups:
        held = slots.asking(held, group)
    for group in got:
        held = slots.heard(held, "n", group, Word.YES)
    return held


def owed(held: Slots) -> list[tuple[str, str]]:
    return [(one.name, one.group) for one in held.owed]


def test_a_node_has_a_group_for_each_model_in_one_order() -> None:
    models = ["Qwen/Qwen3-8B", "a_b/c"]
    assert slots.groups("stoker.{model}", models) == ("stoker.Qwen-Qwen3-8B", "stoker.a-b-c")
    assert slots.groups("stoker.{model}", reversed(models)) == slots.groups(
        "stoker.{model}", models
    )
    assert slots.groups("gpu", models) == ("gpu",)


def test_a_name_stays_until_it_is_given_back_and_is_owed_in_every_group_asked_for() -> None:
    held = asked("a", "b", got=("a",))
    assert slots.named(held, "other", 9.0) is held
    back = slots.given_back(held)
    assert (back.name, back.got, back.asked) == ("", (), ())
    assert owed(back) == [("n", "a"), ("n", "b")]
    assert slots.given_back(back) is back
    assert slots.named(back, "other", 9.0).name == "other"


def test_a_refusal_gives_back_what_was_granted_in_other_groups() -> None:
    held = slots.heard(asked("a", "b", got=("a",)), "n", "b", Word.NO, "full")
    assert (held.name, held.refusal) == ("", "full")
    assert owed(held) == [("n", "a"), ("n", "b")]


def test_a_refusal_of_all_is_asked_again_under_the_same_name() -> None:
    held = slots.heard(asked("a"), "n", "a", Word.NO, "full")
    assert (held.name, held.got, held.refusal) == ("n", (), "full")


def test_a_slot_that_the_server_does_not_know_any_more_ends_the_name() -> None:
    assert slots.heard(asked("a", got=("a",)), "n", "a", Word.NO).name == ""


def test_no_answer_is_neither_yes_nor_the_end_of_what_is_held() -> None:
    held = slots.heard(asked("a", "b", got=("a",)), "n", "b", Word.UNKNOWN, "late")
    assert (held.name, held.got) == ("n", ("a",))
    again = slots.heard(held, "n", "a", Word.UNKNOWN)
    assert again.got == ("a",)


@pytest.mark.parametrize("word", list(Word))
def test_what_is_heard_of_a_name_that_was_given_back_changes_nothing(word: Word) -> None:
    back = slots.given_back(asked("a"))
    assert slots.heard(back, "n", "a", word) == back
    fresh = slots.named(back, "other", 9.0)
    assert slots.heard(fresh, "n", "a", word) == fresh


def test_a_debt_is_paid_twice() -> None:
    back = slots.given_back(asked("a"))
    [debt] = back.debts
    once = slots.paid(back, debt)
    assert (owed(once), len(once.debts)) == ([], 1)
    assert slots.paid(once, once.debts[0]).debts == ()


def test_engines_are_taken_out_once() -> None:
    held = slots.taken(slots.taken(Slots(), "main"), "main")
    assert held.out == ("main",)
