import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.spec import GatewaySpec
from fleet import key_maps
from fleet.keys import ApiKey, Limits

KEY = "sk-0123456789abcdef"
USUAL = GatewaySpec(requests_per_second=20, burst=40, connections_per_key=64)


def test_the_map_gives_back_the_exact_header() -> None:
    text = key_maps.http([ApiKey("alice", KEY)], USUAL)
    assert f'"Bearer {KEY}" "alice";' in text
    assert f'"Bearer {KEY}" "Bearer {KEY}";' in text


def test_an_expired_key_gives_back_a_header_that_nobody_sent() -> None:
    text = key_maps.http([ApiKey("a", KEY, expires=date(2026, 12, 31))], USUAL)
    assert f'"Bearer {KEY}" "Bearer {KEY}$stoker_past_20261231";' in text
    [past] = re.findall(r'map \$msec \$stoker_past_20261231 {\n.*?"";\n    "~(.*?)" ".+";', text)
    # 2027-01-01 00:00 UTC
    assert not re.match(past, "1798761599.999")
    assert re.match(past, "1798761600.000")


@given(st.integers(10**9, 10**10 - 1), st.integers(10**9, 10**10 - 1))
def test_the_expression_compares_numbers(least: int, other: int) -> None:
    pattern = key_maps.from_on(least)
    for number in (other, least - 1, least, least + 1, 10**10 - 1):
        if 10**9 <= number < 10**10:
            assert bool(re.match(pattern, f"{number}.000")) == (number >= least)


@pytest.mark.parametrize("least", [1999999999, 1800000000, 1788999998, 9999999999])
def test_the_expression_knows_nines(least: int) -> None:
    for number in range(least - 12, min(least + 12, 10**10)):
        assert bool(re.match(key_maps.from_on(least), f"{number}.5")) == (number >= least)


def test_clients_without_limits_share_the_zones_of_the_settings() -> None:
    keys = [ApiKey("a", KEY + "1"), ApiKey("b", KEY + "2")]
    assert "map $stoker_named $stoker_requests_1200_40 {\n    default $stoker_named;\n}" in (
        key_maps.http(keys, USUAL)
    )
    assert key_maps.location(keys, USUAL).splitlines()[1:] == [
        "limit_req zone=stoker_requests_1200_40 burst=40 nodelay;",
        "limit_conn stoker_concurrent_64 64;",
    ]


def test_a_client_with_a_limit_of_its_own_counts_there_and_nowhere_else() -> None:
    keys = [
        ApiKey("a", KEY + "1", limits=Limits(requests_per_second=0.5, burst=0)),
        ApiKey("b", KEY + "2", limits=Limits(concurrent=2)),
        ApiKey("c", KEY + "3", limits=Limits(requests_per_second=0.5, burst=0)),
    ]
    text, lines = key_maps.http(keys, USUAL), key_maps.location(keys, USUAL).splitlines()[1:]
    own = (
        'map $stoker_named $stoker_requests_30_0 {\n    default "";\n    "a" "a";\n    "c" "c";\n}'
    )
    assert own in text
    assert "limit_req_zone $stoker_requests_30_0 zone=stoker_requests_30_0:2m rate=30r/m;" in text
    usual = "$stoker_requests_1200_40 {\n    default $stoker_named;\n"
    assert f'{usual}    "a" "";\n    "c" "";\n}}' in text
    assert '$stoker_concurrent_64 {\n    default $stoker_named;\n    "b" "";\n}' in text
    assert lines == [
        "limit_req zone=stoker_requests_1200_40 burst=40 nodelay;",
        "limit_req zone=stoker_requests_30_0 burst=0 nodelay;",
        "limit_conn stoker_concurrent_2 2;",
        "limit_conn stoker_concurrent_64 64;",
    ]


def test_only_the_maps_hold_keys() -> None:
    assert KEY not in key_maps.location([ApiKey("a", KEY)], USUAL)


def test_thousands_of_keys_have_room() -> None:
    keys = [ApiKey(f"c{n}", f"{KEY}{n}") for n in range(5000)]
    assert "map_hash_max_size 20000;" in key_maps.http(keys, USUAL)
