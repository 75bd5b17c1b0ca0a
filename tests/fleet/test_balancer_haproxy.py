"""What a real HAProxy does with the configuration of a balancer."""

import asyncio
import json
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.fleet.balancer_site import CHAT, DOWN, DRAIN, HAPROXY, READY, Load, Node, Site

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="no haproxy: apt-get install haproxy")


def three(seconds: float = 0.05) -> list[Node]:
    return [Node(f"gpu-{number}", seconds=seconds) for number in (1, 2, 3)]


async def test_models_are_found_by_path_header_and_body(tmp_path: Path) -> None:
    nodes = [Node("gpu-1", ("chat",)), Node("gpu-2", ("org/code", "sql"))]
    async with Site(tmp_path, nodes).running() as site, site.client() as client:
        for ask in (
            client.ask(body={"messages": [], "model": "org/code"}),
            client.ask(body={"model": "chat"}, X_Model="org/code"),
            client.ask("/org/code" + CHAT, body={}),
            client.ask(body={"model": "sql"}),
        ):
            status, said, _ = await ask
            assert (status, said["host"], said["path"]) == (200, "gpu-2", CHAT)
        assert (await client.ask(body={"model": "chat"}))[1]["host"] == "gpu-1"
        for ask in (
            client.ask(body={"model": "nope"}),
            client.ask(X_Model="nope"),
            client.ask("/nope" + CHAT),
            client.ask("/v1/models/nope", method="GET"),
        ):
            status, said, _ = await ask
            assert (status, said["error"]["code"]) == (404, "model_not_found")
        status, said, headers = await client.ask(body={"messages": []})
        assert (status, said["error"]["code"]) == (400, "model_missing")
        assert len(headers["X-Request-Id"]) == 36
        for path in ("/v1/embeddings", "/", "//v1/chat/completions", "/v1/chat/completions/"):
            status, said, _ = await client.ask(path)
            assert (status, said["error"]["code"]) == (404, "not_found")


async def test_a_large_body_names_its_model_outside(tmp_path: Path) -> None:
    nodes = [Node("gpu-1", ("chat",)), Node("gpu-2", ("code",))]
    large = {"messages": ["x" * 1_000_000], "model": "code"}
    async with Site(tmp_path, nodes).running() as site, site.client() as client:
        status, said, _ = await client.ask(body=large)
        assert (status, said["error"]["code"]) == (400, "model_unread")
        assert "128 KiB" in said["error"]["message"]
        status, said, _ = await client.ask(body=large, X_Model="code")
        assert (status, said["host"]) == (200, "gpu-2")
        middle = {"messages": ["x" * 100_000], "model": "code"}
        assert (await client.ask(body=middle))[1]["host"] == "gpu-2"


async def test_the_list_is_of_all_hosts_and_only_for_who_has_a_key(tmp_path: Path) -> None:
    nodes = [Node("gpu-1", ("chat",)), Node("gpu-2", ("code",))]
    async with Site(tmp_path, nodes).running() as site, site.client() as client:
        status, said, _ = await client.ask("/v1/models", method="GET", Authorization="Bearer good")
        assert (status, [one["id"] for one in said["data"]]) == (200, ["chat", "code"])
        status, said, _ = await client.ask("/v1/models", method="GET")
        assert (status, said["error"]["code"]) == (401, "invalid_api_key")


async def test_with_one_model_nothing_is_looked_into(tmp_path: Path) -> None:
    async with Site(tmp_path, three()).running() as site, site.client() as client:
        status, said, _ = await client.ask(body={"model": "whatever", "x": "y" * 300_000})
        assert status == 200
        assert (await client.ask(X_Model="nope"))[0] == 404
        assert (await client.ask(Host="other.example"))[0] == 421
        assert (await client.ask("/healthz", method="GET"))[:2] == (200, "ok\n")
        assert (await client.ask("/readyz", method="GET"))[0] == 200
        await client.ask(X_Forwarded_For="6.6.6.6", Forwarded="for=6.6.6.6")
        last = max((n for n in site.nodes.values() if n.arrived), key=lambda n: n.arrived[-1])
        assert last.headers[-1]["X-Forwarded-For"] == "127.0.0.1"
        assert "Forwarded" not in last.headers[-1]
        assert last.headers[-1]["Host"] == "stoker-balancer"
        assert said["host"] in site.nodes
        status, text, _ = await asyncio.to_thread(_metrics, site.metrics)
        assert status == 200
        assert 'haproxy_server_status{proxy="chat",server="gpu-1",state="UP"} 1' in text


def _metrics(port: int) -> tuple[int, str, None]:
    import urllib.request  # noqa: PLC0415

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return answer.status, answer.read().decode(), None


@pytest.mark.parametrize("words", [DOWN, DRAIN])
async def test_a_host_that_drains_gets_nothing_new_and_nothing_is_lost(
    tmp_path: Path, words: str
) -> None:
    nodes = three(seconds=0.15)
    async with Site(tmp_path, nodes).running() as site, site.client() as client:
        async with Load(client, 30).running() as load:
            await asyncio.sleep(1.5)
            nodes[0].open, shut = False, time.monotonic()
            # What the gate turns away until the agent is asked again goes to another host.
            await nodes[0].asked_since(shut)
            drained = nodes[0].drain(words)
            await asyncio.sleep(2.0)
            assert max(nodes[0].arrived) - drained < 1.0
            before = len(nodes[0].arrived)
            nodes[0].open = True
            nodes[0].say(READY)
            took = await site.becomes("gpu-1", "UP")
            await asyncio.sleep(1.0)
        assert load.lost == {}
        assert took < 1.0
        assert len(nodes[0].arrived) > before
        assert load.outcomes["answered"] > 100
        assert load.outcomes["turned away"] == 0


async def test_a_gate_alone_drains_when_the_agent_cannot_be_asked(tmp_path: Path) -> None:
    nodes = three()
    async with Site(tmp_path, nodes).running() as site, site.client() as client:
        nodes[0].kill()
        async with Load(client, 10).running() as load:
            await asyncio.sleep(0.5)
            nodes[0].open = False
            await site.becomes("gpu-1", "DOWN", 5.0)
            before = len(nodes[0].arrived)
            await asyncio.sleep(1.0)
            assert len(nodes[0].arrived) == before
        assert load.lost == {}


async def test_an_agent_that_died_while_it_drained_comes_back_and_says_so(tmp_path: Path) -> None:
    nodes = three()
    async with Site(tmp_path, nodes).running() as site:
        nodes[0].say(DRAIN)
        await site.becomes("gpu-1", "DRAIN")
        nodes[0].open = False
        nodes[0].kill()
        await asyncio.sleep(1.0)
        assert (await site.status("gpu-1"))["status"] != "UP"
        nodes[0].open = True
        nodes[0].say(READY)
        await nodes[0].answer()
        assert await site.becomes("gpu-1", "UP") < 1.0


@pytest.mark.parametrize("words", [DOWN, DRAIN])
async def test_the_last_word_of_an_agent_that_stays_away_does_not_count_for_ever(
    tmp_path: Path, words: str
) -> None:
    nodes = three()
    settings = {"balancer_agent_silence": 2.0}
    async with Site(tmp_path, nodes, **settings).running() as site, site.client() as client:
        nodes[0].say(words)
        await site.becomes("gpu-1", "D")
        nodes[0].open = False
        nodes[0].kill()
        await asyncio.sleep(4.0)
        assert (await site.status("gpu-1"))["status"] != "UP"  # its gate is shut
        nodes[0].open = True
        took = await site.becomes("gpu-1", "UP")
        assert 0.5 < took < 6.0
        before = len(nodes[0].arrived)
        for _ in range(30):
            assert (await client.ask())[0] == 200
        assert len(nodes[0].arrived) > before
        nodes[0].say(words)  # what it says when it is back counts again
        await nodes[0].answer()
        await site.becomes("gpu-1", "D")


async def test_what_could_not_be_sent_goes_elsewhere(tmp_path: Path) -> None:
    nodes = three()
    settings = {"balancer_check_seconds": 60.0}
    async with Site(tmp_path, nodes, **settings).running() as site, site.client() as client:
        await nodes[0].deafen()
        for _ in range(12):
            status, said, _ = await client.ask()
            assert (status, said["host"] in {"gpu-2", "gpu-3"}) == (200, True)
        assert (await site.status("gpu-1"))["status"] == "UP"  # nobody had noticed
        assert int((await site.status("gpu-1"))["wredis"]) > 0


async def test_what_was_sent_is_never_sent_again(tmp_path: Path) -> None:
    nodes = three()
    async with Site(tmp_path, nodes).running() as site, site.client() as client:
        for node in nodes:
            node.breaks = True
        status, said, _ = await client.ask()
        assert (status, said["error"]["code"]) == (502, "host_broke_off")
        assert sum(len(node.arrived) for node in site.nodes.values()) == 1


async def test_who_waits_too_long_is_told_in_the_words_of_openai(tmp_path: Path) -> None:
    nodes = [Node("gpu-1", seconds=3.0, most=2)]
    settings = {"balancer_queue_seconds": 1.0}
    async with Site(tmp_path, nodes, **settings).running() as _, _.client() as client:
        begun = time.monotonic()
        answers = await asyncio.gather(*(client.ask() for _ in range(4)))
        assert sorted(status for status, _, _ in answers) == [200, 200, 503, 503]
        assert nodes[0].peak == 2
        late = next(one for one in answers if one[0] == 503)
        assert late[1]["error"] == {
            "message": "No host took the request within 1 s: all are busy, or cannot be reached.",
            "type": "server_error", "param": None, "code": "hosts_busy",
        }  # fmt: skip
        assert late[2]["Retry-After"] == "15"
        assert late[2]["Content-Type"] == "application/json"
        assert time.monotonic() - begun < 4.0


async def test_the_agent_says_how_many_and_how_much(tmp_path: Path) -> None:
    nodes = three()
    async with Site(tmp_path, nodes).running() as site:
        nodes[0].say("up ready 50% maxconn:7\n")
        await asyncio.sleep(0.6)
        row = await site.status("gpu-1")
        assert (row["status"], row["weight"], row["slim"]) == ("UP", "50", "7")


async def test_without_any_host_it_says_so(tmp_path: Path) -> None:
    nodes = [Node("gpu-1")]
    async with Site(tmp_path, nodes).running() as site, site.client() as client:
        nodes[0].drain()
        await site.becomes("gpu-1", "DOWN")
        status, said, headers = await client.ask()
        assert (status, said["error"]["code"]) == (503, "model_not_serving")
        assert headers["Retry-After"] == "15"
        assert (await client.ask("/readyz", method="GET"))[0] == 503
        assert (await client.ask("/healthz", method="GET"))[0] == 200


async def test_a_session_stays_at_its_host_until_that_is_full(tmp_path: Path) -> None:
    nodes = three(seconds=0.02)
    settings = {"balancer_affinity": "X-Session-Id", "balancer_affinity_percent": 150}
    async with Site(tmp_path, nodes, **settings).running() as _, _.client() as client:
        hosts = {}
        for session in map(str, range(20)):
            found = {(await client.ask(X_Session_Id=session))[1]["host"] for _ in range(4)}
            assert len(found) == 1
            hosts[session] = found.pop()
        assert len(set(hosts.values())) == 3
        for node in nodes:
            node.seconds = 0.5
        many = await asyncio.gather(*(client.ask(X_Session_Id="7") for _ in range(30)))
        shares = [sum(said["host"] == node.name for _, said, _ in many) for node in nodes]
        assert max(shares) <= 17  # 150 % of ten, and a few
        assert sorted(shares)[1] > 10  # the next one, and nobody else while that is not full


async def test_a_reload_loses_nothing_and_lets_nobody_back_in(tmp_path: Path) -> None:
    nodes = three(seconds=0.15)
    async with Site(tmp_path, nodes).running() as site, site.client() as client:
        nodes[0].drain(DRAIN)
        await site.becomes("gpu-1", "D")
        nodes[1].drain(DOWN)
        await site.becomes("gpu-2", "D")
        nodes[0].kill()
        nodes[1].kill()
        before = [len(node.arrived) for node in nodes[:2]]
        async with Load(client, 20).running() as load:
            for _ in range(3):
                await asyncio.sleep(0.7)
                await asyncio.to_thread(site.reload)
            await asyncio.sleep(1.0)
        assert load.lost == {}
        assert load.outcomes["answered"] > 50
        assert [len(node.arrived) for node in nodes[:2]] == before
        nodes[0].open = True
        nodes[0].say(READY)
        await nodes[0].answer()
        assert await site.becomes("gpu-1", "UP") < 2.0


async def test_what_a_gate_turns_away_and_nobody_takes_is_told_as_503(tmp_path: Path) -> None:
    nodes = three()
    settings = {"balancer_check_seconds": 60.0}
    async with Site(tmp_path, nodes, **settings).running() as _, _.client() as client:
        for node in nodes:
            node.open = False
        status, said, headers = await client.ask()
        assert (status, said["error"]["code"]) == (503, "engine_not_serving")
        assert headers["Retry-After"] == "2"
        nodes[2].open = True
        for _ in range(10):
            assert (await client.ask())[0] == 200


async def test_a_stream_comes_piece_by_piece(tmp_path: Path) -> None:
    nodes = [Node("gpu-1", seconds=1.0)]
    async with (
        Site(tmp_path, nodes).running() as site,
        site.client() as client,
        client.http.post(
            f"https://127.0.0.1:{site.front}{CHAT}",
            json={"model": "chat", "stream": True},
            headers={"Host": "llm.example"},
            server_hostname="llm.example",
        ) as answer,
    ):
        await answer.content.readline()
        assert not nodes[0].ended
        assert "[DONE]" in await answer.text()


async def test_a_host_that_cannot_show_who_it_is_gets_nothing(tmp_path: Path) -> None:
    nodes = three()
    async with Site(tmp_path, nodes).running() as site, site.client() as client:
        await nodes[0].deafen()
        (tmp_path / "other").mkdir()
        stranger = Site(tmp_path / "other", nodes).authority
        await nodes[0].listen(stranger.serving("gpu-1.example"))
        for _ in range(10):
            assert (await client.ask())[1]["host"] in {"gpu-2", "gpu-3"}
        await site.becomes("gpu-1", "DOWN")
        await nodes[1].deafen()
        await nodes[1].listen(site.authority.serving("another.example"))
        before = len(nodes[1].arrived)
        while (await site.status("gpu-2"))["status"] != "DOWN":
            assert (await client.ask())[0] in {200, 503}
        for _ in range(10):
            assert (await client.ask())[1]["host"] == "gpu-3"
        assert (len(nodes[0].arrived), len(nodes[1].arrived)) == (0, before)


async def test_the_log_has_neither_a_key_nor_a_body(tmp_path: Path) -> None:
    async with Site(tmp_path, three()).running() as site, site.client() as client:
        await client.ask(
            CHAT + "?secret=1", body={"model": "chat", "x": "hush"}, Authorization="Bearer hush"
        )
        await asyncio.sleep(0.2)
        assert "hush" not in site.log
        assert "secret" not in site.log
        [line] = [json.loads(one) for one in site.log.splitlines() if one.startswith("{")]
        assert (line["path"], line["status"], line["backend"]) == (CHAT, 200, "chat")
        assert line["host"] in site.nodes


async def test_a_host_with_a_name_is_asked_by_it(tmp_path: Path) -> None:
    node = Node("gpu-1")
    named = replace(node.peer, address="localhost")
    async with Site(tmp_path, [node], balancer_peers=(named,)).running() as site:
        assert "agent-addr" not in site.write().read_text()
        node.say(DOWN)
        await site.becomes("gpu-1", "DOWN")


async def test_who_hangs_up_keeps_no_engine_busy(tmp_path: Path) -> None:
    nodes = [Node("gpu-1", seconds=30.0)]
    async with Site(tmp_path, nodes).running() as site, site.client() as client:
        asked, begun = asyncio.create_task(client.ask()), time.monotonic()
        await nodes[0].asked_since(begun)
        asked.cancel()
        await nodes[0].left()
        assert nodes[0].at_once == 1  # it would have gone on for long
