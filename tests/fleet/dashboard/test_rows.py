"""What a row says of a node, and which node comes first."""

import msgspec
import pytest

from agent.snapshot import Snapshot as Published
from fleet.dashboard.rows import EngineRow, Link, Row, Snapshot, ordered, row
from fleet.dashboard.targets import target
from tests.page import scenes


def read(shown: Published) -> Snapshot:
    return msgspec.json.decode(msgspec.json.encode(shown), type=Snapshot)


def test_a_row_sums_up_a_node() -> None:
    one = row("gpu-4", Link.FRESH, read(scenes.quarantined()), 1.0, "", 0.0)
    assert (one.phase, one.message) == (
        "QUARANTINED",
        "engine chat: GPU 2 has fallen off the bus",
    )
    assert [(e.name, e.phase, e.serving) for e in one.engines] == [
        ("chat", "QUARANTINED", False),
        ("code", "SERVING", True),
    ]
    assert (one.in_flight, one.waiting) == (7, 0)
    assert (one.tokens_per_second, one.kv_use_ratio) == (612.0, 0.31)
    assert (one.gpus, one.gpus_bad, one.incidents, one.warnings, one.drift) == (8, 1, 1, 1, 1)


def test_what_a_node_does_not_say_is_not_known() -> None:
    least = msgspec.json.decode(b'{"phase": "SERVING", "at": 1}', type=Snapshot)
    one = row("gpu-1", Link.FRESH, least, 1.0, "", 0.0)
    assert (one.in_flight, one.waiting, one.tokens_per_second, one.gpus) == (None,) * 4
    assert row("gpu-2", Link.ASKING, None, None, "", 0.0).age is None


def known(name: str, phase: str, link: Link = Link.FRESH, **facts: object) -> Row:
    serving = phase == "SERVING" and not facts.pop("stuck", False)
    engine = EngineRow(name="main", phase=phase, model="m", serving=serving, since=0.0)
    return Row(name=name, link=link, phase=phase, engines=(engine,), age=1.0, **facts)  # type: ignore[arg-type]


def test_the_worst_is_first_and_unknown_is_not_taken_for_well() -> None:
    rows = [
        known("well", "SERVING"),
        known("drifted", "SERVING", drift=2),
        known("warned", "SERVING", warnings=1),
        known("unheard-of", "PONDERING"),
        known("starting", "STARTING"),
        known("draining", "DRAINING"),
        known("drained", "DRAINED"),
        known("silent", "SERVING", Link.SILENT),
        known("stale", "SERVING", Link.STALE),
        known("stuck", "SERVING", stuck=True),
        known("quarantined", "QUARANTINED"),
        Row(name="asking", link=Link.ASKING),
        known("well too", "SERVING"),
    ]
    assert [one.name for one in ordered(rows)] == [
        "quarantined",
        "stuck",
        "stale",
        "silent",
        "drained",
        "draining",
        "starting",
        "unheard-of",
        "warned",
        "asking",
        "drifted",
        "well",
        "well too",
    ]


@pytest.mark.parametrize(
    ("name", "address", "listen", "url"),
    [
        ("gpu-1", "10.0.0.1", "0.0.0.0", "http://10.0.0.1:9750"),
        ("gpu-1", "10.0.0.1", "::", "http://10.0.0.1:9750"),
        ("gpu-1", "gpu-1.example", "10.9.0.1", "http://10.9.0.1:9750"),
        ("gpu-1", "gpu-1", "fd00::1", "http://[fd00::1]:9750"),
        ("@local", "@local", "127.0.0.1", "http://127.0.0.1:9750"),
        ("here", "127.0.0.1", "127.0.0.1", "http://127.0.0.1:9750"),
        ("gpu-1", "gpu-1", "127.0.0.1", ""),
        ("gpu-1", "10.0.0.1", "::1", ""),
    ],
)
def test_where_a_node_is_asked(name: str, address: str, listen: str, url: str) -> None:
    found = target(name, address, listen, 9750)
    assert found.url == url
    assert ("set agent_listen" in found.problem) is not bool(url)
