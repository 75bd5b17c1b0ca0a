import pytest

from fleet.keys import ApiKey, KeysError, parse, render

KEY = "sk-0123456789abcdef"


def test_lines_of_name_and_key() -> None:
    text = f"# clients\nalice {KEY}1  # the first\n\nbob {KEY}2\n"
    assert parse(text) == [ApiKey("alice", KEY + "1"), ApiKey("bob", KEY + "2")]


def test_a_single_raw_key_is_called_default() -> None:
    assert parse(KEY + "\n") == [ApiKey("default", KEY)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# nothing\n", "holds no key"),
        (f"alice {KEY} more", "line 1: expected `NAME KEY`"),
        (f"Alice {KEY}", "line 1: a name"),
        ("alice short", "line 1: a key"),
        (f'alice {KEY}";return', "line 1: a key"),
        (f"alice {KEY}$host", "line 1: a key"),
        (f"a {KEY}1\na {KEY}2", "the same name"),
        (f"a {KEY}\nb {KEY.upper()}", "the same key"),
    ],
)
def test_what_is_wrong_is_said_without_the_key(text: str, said: str) -> None:
    with pytest.raises(KeysError, match=said) as error:
        parse(text)
    assert KEY not in str(error.value)


def test_the_map_gives_back_the_exact_header() -> None:
    text = render([ApiKey("alice", KEY)])
    assert f'"Bearer {KEY}" "alice";' in text
    assert f'"Bearer {KEY}" "Bearer {KEY}";' in text


def test_a_key_does_not_show_in_its_repr() -> None:
    assert KEY not in repr(ApiKey("alice", KEY))
