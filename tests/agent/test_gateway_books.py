"""What nginx tells, and what is counted of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from agent.gateway_books import CONNECTIONS, TENANTS, WINDOW, Books, Ends
from agent.gateway_log import Broken, End, Line, parse

HEAD = b"<190>Nov 28 01:20:03 stoker: "
CUT = (
    b"<187>Nov 28 01:20:03 stoker_error: 2026/11/28 01:20:03 [error] 33#33: *5 upstream "
    b"prematurely closed connection while reading upstream, client: 10.0.0.1, server: gpu-1"
)


def datagram(**fields: Any) -> bytes:
    """A line of the access log: a whole stream, but for `fields`."""
    known = {
        "time": "2026-11-28T01:20:03+00:00",
        "id": "f" * 32,
        "tenant": "alice",
        "model": "tiny",
        "engine": "main",
        "status": 200,
        "sent": 100,
        "seconds": 2.0,
        "reason": "",
        "first": "0.030",
        "stream": "yes",
        "done": "yes",
        "stream_error": "no",
        "completion": "OK",
        "connection": "5",
    }
    return HEAD + json.dumps({**known, **fields}).encode()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Kept:
    def __init__(self, *engines: str) -> None:
        self.registry, self.clock = CollectorRegistry(), Clock()
        self.books = Books(self.registry, engines or ("main",), self.clock)

    def take(self, *datagrams: bytes) -> "Kept":
        for one in datagrams:
            self.books.take(one)
        return self

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def ended(self, end: End, engine: str = "main") -> float | None:
        return self.value("stoker_gateway_streams_total", engine=engine, end=end.value)


def test_a_request_counts_once_by_model_client_and_class() -> None:
    kept = Kept().take(datagram(), datagram(status=404, stream="no", done=""))
    labels = {"model": "tiny", "tenant": "alice"}
    assert kept.value("stoker_gateway_requests_total", **labels, status="2xx") == 1
    assert kept.value("stoker_gateway_requests_total", **labels, status="4xx") == 1
    assert kept.books.requests == 2
    assert kept.value("stoker_gateway_first_byte_seconds_count", model="tiny") == 2


def test_what_the_gateway_refused_counts_by_its_reason() -> None:
    refused = {"model": "", "engine": "", "stream": "no", "first": "-", "done": ""}
    kept = Kept().take(
        datagram(status=401, tenant="", reason="invalid_api_key", **refused),
        datagram(status=429, reason="rate_limit_exceeded", **refused),
    )
    for reason, tenant in (("invalid_api_key", "none"), ("rate_limit_exceeded", "alice")):
        assert kept.value("stoker_gateway_refused_total", reason=reason, tenant=tenant) == 1
    assert kept.value("stoker_gateway_first_byte_seconds_count", model="none") is None


@pytest.mark.parametrize(
    ("fields", "broken", "end"),
    [
        ({}, False, End.WHOLE),
        ({"completion": ""}, False, End.WHOLE),  # its client left after all was said
        ({"done": "no"}, False, End.BROKEN),
        ({"done": "no", "completion": ""}, True, End.BROKEN),
        ({"done": "no", "completion": ""}, False, End.LEFT),
        ({"done": "no", "stream_error": "yes"}, False, End.ERROR),
        ({"stream_error": "yes"}, False, End.ERROR),
        ({"stream": "no", "done": ""}, False, None),
    ],
)
def test_how_a_stream_ended(fields: dict[str, str], broken: bool, end: End | None) -> None:
    line = parse(datagram(**fields))
    assert isinstance(line, Line)
    assert line.end(broken=broken) is end


@pytest.mark.parametrize(
    ("first", "seconds"),
    [("0.5", 0.5), ("", None), ("-", None), ("0.1, 0.2", 0.3), ("-, 0.2", 0.2), ("x", None)],
)
def test_the_time_to_the_first_byte(first: str, seconds: float | None) -> None:
    found = Line(status=200, first=first).first_seconds
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_who_broke_it_off_stands_in_the_error_log() -> None:
    assert parse(CUT) == Broken("5")
    left = {"done": "no", "completion": ""}
    kept = Kept().take(CUT, CUT, *(datagram(**left) for _ in range(3)))
    kept.take(datagram(**left, connection="6"))
    assert (kept.ended(End.BROKEN), kept.ended(End.LEFT)) == (2, 2)


@pytest.mark.parametrize(
    "text",
    [
        b"2026/11/28 [error] 3#3: *5 limiting requests, excess: 1.0 by zone, client: 10.0.0.1",
        b'2026/11/28 [error] 3#3: *5 open() failed, request: "GET /while reading upstream"',
        b"2026/11/28 [crit] 3#3: something of nobody",
    ],
)
def test_other_errors_are_none_of_ours(text: bytes) -> None:
    assert parse(b"<187>Nov 28 01:20:03 stoker_error: " + text) is None


def test_marks_of_connections_are_not_kept_for_ever() -> None:
    kept = Kept()
    for number in range(CONNECTIONS + 10):
        kept.take(CUT.replace(b"*5", b"*%d" % number))
    left = {"done": "no", "completion": ""}
    kept.take(datagram(**left, connection="1"), datagram(**left, connection="1000"))
    assert (kept.ended(End.LEFT), kept.ended(End.BROKEN)) == (1, 1)


def test_five_minutes_are_remembered() -> None:
    kept = Kept("main", "code").take(datagram(), datagram(done="no"))
    kept.clock.now += WINDOW / 2
    kept.take(datagram(engine="code", stream_error="yes"))
    assert kept.books.recent() == {"main": Ends(ended=2, broken=1), "code": Ends(ended=1, broken=1)}
    kept.clock.now += WINDOW / 2
    assert kept.books.recent() == {"code": Ends(ended=1, broken=1)}
    kept.clock.now += WINDOW / 2
    assert kept.books.recent() == {}
    assert kept.ended(End.BROKEN) == 1


def test_labels_do_not_grow_for_ever() -> None:
    kept = Kept()
    for number in range(TENANTS + 300):
        name = f"n{number}"
        kept.take(datagram(tenant=name, model=name, engine=name, reason=name))
    lines = generate_latest(kept.registry).decode().splitlines()
    assert kept.ended(End.WHOLE, "other") == TENANTS + 300
    series = [line for line in lines if line.startswith("stoker_gateway_requests_total")]
    assert len(series) == TENANTS + 1
    assert len([line for line in lines if "_refused_total{" in line]) < 300


@pytest.mark.parametrize(
    "garbled",
    [
        b"",
        b"{",
        HEAD,
        HEAD + b"[]",
        datagram()[:-5],
        datagram(status="200"),
        HEAD + b'{"tenant":"a"}',
        HEAD + b'{"status":200,"tenant":null}',
    ],
)
def test_what_is_not_understood_is_counted(garbled: bytes) -> None:
    kept = Kept().take(garbled, datagram())
    assert kept.value("stoker_gateway_lines_garbled_total") == 1
    assert kept.books.requests == 1


def test_bytes_of_any_kind_in_a_path_do_no_harm() -> None:
    kept = Kept().take(datagram(path="X").replace(b'"X"', b'"/\xff\xfe"'))
    assert kept.books.requests == 1


@given(st.binary(max_size=200))
def test_no_datagram_breaks_it(data: bytes) -> None:
    Kept().take(data, HEAD + data, CUT[:36] + data)


def test_conventions() -> None:
    families = list(Kept().take(datagram()).registry.collect())
    assert len(families) == 5
    for family in families:
        assert family.name.startswith("stoker_gateway_")
        assert family.documentation.endswith(".")
        labels = {name for one in family.samples for name in one.labels}
        assert labels <= {"model", "tenant", "status", "reason", "engine", "end", "le"}
