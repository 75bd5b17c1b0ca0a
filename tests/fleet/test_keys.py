from datetime import date

import pytest

from fleet.keys import ApiKey, KeysError, Limits, limits, parse, usable

KEY = "sk-0123456789abcdef"
TODAY = date(2026, 11, 28)


def test_lines_of_name_and_key() -> None:
    text = f"# clients\nalice {KEY}1  # the first\n\nbob {KEY}2\n"
    assert parse(text) == [ApiKey("alice", KEY + "1"), ApiKey("bob", KEY + "2")]


def test_a_single_raw_key_is_called_default() -> None:
    assert parse(KEY + "\n") == [ApiKey("default", KEY)]


def test_what_is_particular_about_a_key_comes_after_it() -> None:
    [key] = parse(f"a {KEY} expires=2026-12-31 disabled requests_per_second=0.5 burst=0")
    assert key == ApiKey("a", KEY, date(2026, 12, 31), True, Limits(0.5, 0, None))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# nothing\n", "holds no key"),
        (f"\nAlice {KEY}", "line 2: a name"),
        ("alice short", "line 1: a key"),
        (f'alice {KEY}";return', "line 1: a key"),
        (f"alice {KEY}$host", "line 1: a key"),
        (f"a {KEY}\nb {KEY.upper()}", "lines 1 and 2 have the same key"),
        (f"a {KEY}\nb {KEY} disabled", "lines 1 and 2 have the same key"),
        (f"alice bob {KEY}", "line 1: a key"),
        ("alice expires=2026-12-31", "line 1: expected `NAME KEY`"),
        (f"alice {KEY}1 {KEY}2", "line 1: unknown option; after"),
        (f"alice {KEY} expirse=2026-12-31", "line 1: unknown option; after"),
        (f"alice {KEY} disabled=yes", "line 1: unknown option; after"),
        (f"alice {KEY} expires", "line 1: unknown option; after"),
        (f"alice {KEY} expires=2026-13-01", "line 1: expires= needs a day"),
        (f"alice {KEY} expires=20261201", "line 1: expires= needs a day"),
        (f"alice {KEY} burst=-1", "line 1: burst= needs a whole number, 0 or more"),
        (f"alice {KEY} concurrent=0", "line 1: concurrent= needs a whole number, 1 or more"),
        (f"alice {KEY} concurrent=1.5", "line 1: concurrent= needs"),
        (f"alice {KEY} requests_per_second=0.001", "line 1: requests_per_second= needs"),
        (f"alice {KEY} requests_per_second=1e9", "line 1: requests_per_second= needs"),
        (f"alice {KEY} burst=1 burst=2", "line 1: burst is given twice"),
    ],
)
def test_what_is_wrong_is_said_without_the_key(text: str, said: str) -> None:
    with pytest.raises(KeysError, match=said) as error:
        parse(text)
    assert KEY not in str(error.value)


def test_a_key_is_good_to_the_end_of_its_last_day() -> None:
    key = ApiKey("a", KEY, expires=TODAY)
    assert key.usable(TODAY)
    assert not key.usable(date(2026, 11, 29))
    assert not ApiKey("a", KEY, disabled=True).usable(TODAY)


def test_a_client_may_have_two_keys_that_can_be_used_and_any_number_of_others() -> None:
    two = [ApiKey("a", KEY + "1"), ApiKey("a", KEY + "2")]
    gone = [ApiKey("a", KEY + "3", disabled=True), ApiKey("a", KEY + "4", date(2026, 1, 1))]
    assert usable(two + gone, TODAY) == two
    with pytest.raises(KeysError, match="a has 3 keys; at most 2") as error:
        usable([*two, ApiKey("a", KEY + "5")], TODAY)
    assert KEY not in str(error.value)


def test_the_limits_of_a_client_are_those_of_any_of_its_keys() -> None:
    keys = [ApiKey("a", KEY + "1", limits=Limits(5.0)), ApiKey("a", KEY + "2")]
    assert limits(usable(keys, TODAY)) == {"a": Limits(5.0)}
    wrong = [keys[0], ApiKey("a", KEY + "2", limits=Limits(6.0))]
    with pytest.raises(KeysError, match="the two keys of a differ in their limits"):
        usable(wrong, TODAY)


def test_without_a_key_that_is_good_nobody_could_use_the_endpoint() -> None:
    with pytest.raises(KeysError, match="every key is disabled or expired"):
        usable([ApiKey("a", KEY, disabled=True)], TODAY)


def test_a_key_does_not_show_in_its_repr() -> None:
    assert KEY not in repr(ApiKey("alice", KEY))
