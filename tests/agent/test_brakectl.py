"""Freeing the slot of a node that will not come back: needs no agent, and is audited."""

import argparse
from pathlib import Path

import anyio.to_thread
import pytest

from agent.brakectl import add, main
from agent.client import Agent
from agent.errors import StokerError
from agent.paths import Paths
from agent.spec import HostSpec
from tests.agent.fleetlock_server import FleetLockServer
from tests.agent.node import DATA


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(etc=tmp_path / "etc", state=tmp_path / "state", run=tmp_path / "run")
    made.etc.mkdir()
    made.state.mkdir()
    return made


async def free(paths: Paths, url: str | None, *more: str) -> int:
    facts = {**DATA, **({"agent_fleetlock_url": url} if url else {})}
    paths.spec.write_bytes(HostSpec.from_data("gpu-3", facts).dump())
    parser = argparse.ArgumentParser()
    add(parser)
    asked = ["--free", "gpu-7.ab", "--reason", "RMA", "--by", "ann", *more]
    options = parser.parse_args(asked)
    return await anyio.to_thread.run_sync(main, Agent(str(paths.socket)), options, paths)


async def test_a_slot_is_freed_by_its_name_in_the_groups_of_this_node(paths: Paths) -> None:
    async with FleetLockServer({"stoker.a-b": 2}) as server:
        server.holders["stoker.a-b"] = {"gpu-7.ab", "gpu-8.cd"}
        assert await free(paths, server.url) == 0
        assert server.holders["stoker.a-b"] == {"gpu-8.cd"}
    audited = (paths.state / "deploys.jsonl").read_text()
    assert '"slot freed"' in audited
    assert '"reason":"RMA","slot":"gpu-7.ab","groups":["stoker.a-b"],"by":"ann"' in audited


async def test_or_in_those_that_are_named(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    async with FleetLockServer({"other": 1}) as server:
        server.holders["other"] = {"gpu-7.ab"}
        assert await free(paths, server.url, "--group", "other", "--group", "none") == 1
        assert server.holders["other"] == set()
    said = capsys.readouterr()
    assert said.out == "other: gpu-7.ab holds nothing any more\n"
    assert "none: " in said.err
    assert 'unknown group "none"' in said.err


async def test_where_there_is_no_server_there_is_nothing_to_free(paths: Paths) -> None:
    with pytest.raises(StokerError, match="there is no FleetLock server here"):
        await free(paths, None)
