"""The gateway under fire, on both distributions' nginx: what it lets through, and what it does not.

That nothing reached an engine is told by the engine's own ledger, and by nginx's log of whom it
asked. Each host runs three engines: `main` and `two` are replicas of one model, `code` is another.
"""

import asyncio
import json
import random
import resource
import secrets
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.e2e import tuned
from tests.e2e.conftest import KEEP
from tests.e2e.wire import Crowd, Reply, Wire, parsed
from tests.e2e.world import World, wait_for
from tests.sandbox.together import together

MODEL, CODE = "stoker/tiny-llama", "code"
REPLICAS = ("main", "two")
STREAMS = 1000
SETTINGS = {
    "engine_max_concurrent_requests": 2 * STREAMS,
    "gateway_connections_per_key": STREAMS + 500,
    "gateway_burst": 3 * STREAMS,
    "gateway_requests_per_second": 2 * STREAMS,
}


GONE = """
systemctl disable --now stoker-engine@two stoker-engine@code
docker rm -f stoker-two stoker-code
rm -f /run/stoker/gates/two.open /run/stoker/gates/code.open
"""


def _engines(gpus: int) -> dict[str, dict[str, object]]:
    return {
        "main": {"gpus": gpus},
        "two": {"gpus": 0, "port": 8081},
        CODE: {"gpus": 0, "port": 8082, "served_name": CODE},
    }


@pytest.fixture(scope="module")
def wires(first: tuple[World, object]) -> Iterator[dict[str, Wire]]:
    """The first and the last host, with three engines each; afterwards as they were."""
    world = first[0]
    hosts = [world.hosts[0], world.hosts[-1]]
    extra = world.directory / "data.json"
    gpus = {host: world.fleet.layout.host(host).gpus for host in hosts}
    wanted = {host: {"engines": _engines(gpus[host]), **SETTINGS} for host in hosts}
    run_on = [part for host in hosts for part in ("--limit", host)]
    # As the tests of faults have left these hosts.
    run_on += [part for k, v in tuned.IMPATIENT.items() for part in ("--data", f"{k}={v}")]
    try:
        if not (KEEP and extra.exists()):
            extra.write_text(json.dumps(wanted))
            run = world.deploy(*run_on)
            assert run.code == 0, run.output
        yield {host: Wire(world, host) for host in hosts}
    finally:
        if not KEEP:
            extra.unlink()
            for host in hosts:  # a deploy leaves alone what it does not know any more
                world.shell(host, GONE, check=False)
            assert world.deploy(*run_on).code == 0


@pytest.fixture(params=[0, 1], ids=["new", "old"])
def wire(request: pytest.FixtureRequest, wires: dict[str, Wire]) -> Wire:
    """One host after the other."""
    found: Wire = list(wires.values())[request.param]
    _serve(found)
    return found


def _serve(wire: Wire) -> None:
    """Wait until all engines serve."""

    def serve() -> bool:
        engines = wire.world.status(wire.host)["engines"].values()
        return {one["state"]["phase"] for one in engines} == {"SERVING"}

    wait_for(f"{wire.host} serves", serve, 60)


def _ask(model: str = MODEL, tokens: int = 3, **more: object) -> dict[str, object]:
    messages = [{"role": "user", "content": "Are you there?"}]
    return {"model": model, "max_tokens": tokens, "messages": messages, **more}


def _untouched(wire: Wire, replies: list[Reply]) -> None:
    """Hold that no engine was asked for any of them."""
    assert not {reply.id for reply in replies} & wire.reached()
    lines = wire.lines(reply.id for reply in replies if reply.id)
    assert {line["upstream"] for line in lines} <= {""}


def test_nginx_accepts_it_and_warns_of_nothing(wire: Wire) -> None:
    said = wire.world.shell(wire.host, "nginx -t -c /etc/stoker/nginx.conf 2>&1; nginx -v 2>&1")
    assert "test is successful" in said
    assert "[warn]" not in said.replace("worker_connections exceed open file", "")
    expected = {"debian-12": "nginx/1.22", "debian-13": "nginx/1.26"}
    system = wire.world.shell(wire.host, ". /etc/os-release; echo $ID-$VERSION_ID")
    assert expected[system] in said


def test_the_node_itself_finds_it_as_the_deploy_has_left_it(wire: Wire) -> None:
    """Also with several engines, whose order the operator has chosen otherwise."""
    said = wire.world.shell(wire.host, "stoker-release drift --report-only --json", check=False)
    assert {"findings", "problem"}.isdisjoint(json.loads(said)), said


# -- what is refused -------------------------------------------------------------------------------

PATHS = (
    "/",
    "/metrics",
    "/info",
    "/generate",
    "/v1",
    "/v1/",
    "/v1/load_lora_adapter",
    "/v1/embeddings",
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/./chat/completions",
    "/v1/../v1/chat/completions",
    "/v1/x/../chat/completions",
    "/v1/chat/completions/../../metrics",
    "/v1/chat/completions/../../../v1/chat/completions",
    "/v1/chat/completions/",
    "/v1/chat/completions/x",
    "/v1/chat/completions;x=/metrics",
    "/v1/chat/completions%00",
    "/v1/chat/completions%2e",
    "/v1/chat/completions%2f..%2f..%2fmetrics",
    "/v1/chat/%63ompletions",
    "/v1/chat%2Fcompletions",
    "/v1/%2e%2e/metrics",
    "/V1/chat/completions",
    "/v1/chat/completions#/metrics",
    "/v1\\chat\\completions",
    "/main/v1/metrics",
    "/main/../metrics",
    "/nobody/v1/chat/completions",
    "/_stoker/unauthorized",
    "http://127.0.0.1:8080/metrics",
    "*",
)


def test_only_the_list_reaches_an_engine(wire: Wire) -> None:
    replies = [wire.send(wire.post(_ask(), path=path)) for path in PATHS]
    for path, reply in zip(PATHS, replies, strict=True):
        assert reply.status in {400, 404, 421}, path
        assert reply.error()["type"] == "invalid_request_error"
        assert reply.id, path
    _untouched(wire, replies)


def test_only_the_right_method_passes(wire: Wire) -> None:
    methods = ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "BREW")
    replies = [
        wire.send(wire.head(f"{method} /v1/chat/completions", "Connection: close"))
        for method in methods
    ]
    replies.append(wire.send(wire.post(_ask(), path="/v1/models")))
    for reply in replies[:-2]:
        assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert replies[-1].headers["allow"] == "GET, HEAD"
    assert replies[0].error()["code"] == "method_not_allowed"
    _untouched(wire, replies)


def test_tricks_with_headers_get_nowhere(wire: Wire) -> None:
    body = json.dumps(_ask()).encode()
    kind, length = "Content-Type: application/json", f"Content-Length: {len(body)}"
    line, chunked = "POST /v1/chat/completions", "Transfer-Encoding: chunked"
    wrong = [
        wire.head(line, kind, length, chunked) + body,  # which of the two is it?
        wire.head(line, kind, length, "Content-Length: 1") + body,
        wire.head(line, kind, "Content-Length: -1") + body,
        wire.head(line, kind, "Transfer-Encoding: xchunked") + body,
        wire.head(line, kind, length, "Host: elsewhere") + body,
        wire.head(line, kind, length, "Authorization: Bearer wrong-key-0123456", key=None) + body,
        wire.head(line, kind, length, f"authorization : Bearer {wire.key}", key=None) + body,
        wire.head(line, kind, length, f"X-Authorization: Bearer {wire.key}", key=None) + body,
        wire.head(line, kind, length, key=wire.key.upper()) + body,
        wire.head(line, kind, length, key=f"{wire.key} ").replace(b" \r\n", b"x\r\n") + body,
        wire.head(line, kind, length, f"Authorization: Basic {wire.key}", key=None) + body,
        b"\x16\x03\x01" + wire.head(line, kind, length) + body,
    ]
    replies = [wire.send(data) for data in wrong]
    assert {reply.status for reply in replies} <= {400, 401, 501, 0}, [r.status for r in replies]
    for reply in replies:
        if reply.status:
            assert reply.error()["message"]
    _untouched(wire, replies)


def test_no_header_of_a_client_reaches_the_engine(wire: Wire) -> None:
    """The simulator takes a request's id from this header; it sees the gateway's, not this one."""
    reply = wire.send(
        wire.post(
            _ask(),
            "X-Request-Id: mine",
            "X_Request_Id: mine",
            "X-Forwarded-For: 127.0.0.1",
            "X-Accel-Redirect: /_stoker/unauthorized",
            "X-Original-URL: /metrics",
            "X-HTTP-Method-Override: GET",
            "Upgrade: websocket",
        ).replace(b"Connection: close", b"Connection: upgrade, X-Request-Id")
    )
    assert reply.status == 200
    assert reply.id != "mine"
    reached = wire.reached()
    assert reply.id in reached
    assert "mine" not in reached


def test_two_authorizations_are_not_better_than_one(wire: Wire) -> None:
    both = ("Authorization: Bearer wrong-key-0123456", f"Authorization: Bearer {wire.key}")
    replies = [wire.send(wire.post(_ask(), *order)) for order in (both, both[::-1])]
    # With the good key in front of all three, nginx 1.22 takes the first.
    assert {reply.status for reply in replies} <= {200, 400, 401}
    none = wire.post(_ask(), *both).replace(
        f"Bearer {wire.key}\r\n\r\n".encode(), b"Bearer x\r\n\r\n"
    )
    assert wire.send(none).status in {400, 401}


def test_other_hosts_are_sent_away(wire: Wire) -> None:
    good = wire.post(_ask())
    others = (wire.address, "elsewhere.example", "localhost", f"{wire.name}.evil.example")
    replies = [wire.send(good.replace(wire.name.encode(), other.encode())) for other in others]
    for reply in replies:
        assert (reply.status, reply.error()["code"]) == (421, "misdirected_request")
        assert wire.name in reply.error()["message"]
    _untouched(wire, replies)
    assert wire.send(good.replace(wire.name.encode(), f"{wire.name}:443".encode())).status == 200


def test_what_is_too_large_is_refused_before_it_is_read(wire: Wire) -> None:
    large = 33 << 20
    head = wire.head("POST /v1/chat/completions", f"Content-Length: {large}", "Connection: close")
    chunked = wire.head(
        "POST /v1/chat/completions", "Transfer-Encoding: chunked", "Connection: close"
    )
    replies = [
        wire.send(head),
        wire.send(chunked + f"{large:x}\r\n".encode() + bytes(large)),
        wire.send(wire.head("GET /v1/models", f"X-Large: {'a' * 9000}")),
        wire.send(wire.head(f"GET /v1/models?{'a' * 9000}")),
        wire.send(wire.head("GET /v1/models", *(f"X-{n}: {'a' * 4000}" for n in range(10)))),
    ]
    assert [reply.status for reply in replies] == [413, 413, 431, 414, 431]
    for reply in replies:
        assert reply.error()["type"] == "invalid_request_error"
        assert reply.id
    _untouched(wire, replies)


def test_thousands_of_bad_keys_are_slowed_down_and_good_ones_are_not(wire: Wire) -> None:
    before = wire.reached()
    seen = asyncio.run(_guess(wire, 3000))
    assert set(seen) == {401, 429}
    assert seen[401] < 150, seen  # 60 a minute and 20 at once
    assert wire.send(wire.post(_ask())).status == 200
    assert len(wire.reached() - before) == 1


async def _guess(wire: Wire, count: int) -> Counter[int]:
    seen: Counter[int] = Counter()

    async def some(guesses: int) -> None:
        reader, writer = await asyncio.open_connection(
            wire.address, 443, ssl=wire.tls, server_hostname=wire.name
        )
        for _ in range(guesses):
            key = f"sk-{secrets.token_hex(16)}"
            writer.write(wire.head("GET /v1/models", key=key))
            head = await reader.readuntil(b"\r\n\r\n")
            reply = parsed(head)
            await reader.readexactly(int(reply.headers["content-length"]))
            assert reply.headers["x-request-id"]
            assert (reply.status == 429) == ("retry-after" in reply.headers)
            seen[reply.status] += 1
        writer.close()

    await asyncio.gather(*(some(count // 10) for _ in range(10)))
    return seen


def test_slow_ones_are_let_go_and_hold_nobody_up(wires: dict[str, Wire]) -> None:
    together(*(lambda one=one: _slow(one) for one in wires.values()))


def _slow(wire: Wire) -> None:
    before = wire.reached()
    heads = [wire.connect(30) for _ in range(60)]
    body = wire.connect(40)
    body.sendall(wire.head("POST /v1/chat/completions", "Content-Length: 100") + b"{")
    begun = time.monotonic()
    trickle = wire.head("GET /v1/models", "X-Slow: yes")
    gone: list[float] = []
    for sent in range(14):
        for one in heads:
            with suppress(OSError, ssl.SSLError):
                one.sendall(trickle[sent : sent + 1])
        assert wire.send(wire.head("GET /v1/models", "Connection: close")).status == 200
        time.sleep(1)
    for one in heads:
        one.settimeout(1)
        try:
            assert one.recv(100) == b""
            gone.append(time.monotonic() - begun)
        except (ssl.SSLError, ConnectionError):
            gone.append(time.monotonic() - begun)
        except TimeoutError:
            pytest.fail("a connection that sends a byte a second is still there after 14 s")
        one.close()
    assert len(gone) == 60
    body.settimeout(20)
    with suppress(OSError):
        assert not body.recv(100).startswith(b"HTTP/1.1 2")
    assert time.monotonic() - begun < 30, "a body that stands still is kept"
    body.close()
    assert wire.reached() == before


# -- how it is told --------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_every_refusal_is_in_openais_shape(wire: Wire, version: str) -> None:
    good = f"Authorization: Bearer {wire.key}"
    kind = "Content-Type: application/json"
    cases = {
        ("/v1/models", "", "Authorization: Bearer bad-key-0123456789"): (401, "invalid_api_key"),
        ("/nothing", "", good): (404, "not_found"),
        ("/v1/models/nobody", "", good): (404, "model_not_found"),
        ("/v1/chat/completions", "", good): (405, "method_not_allowed"),
        ("/v1/chat/completions", '{"model":"nobody"}', good): (404, "model_not_found"),
        ("/v1/chat/completions", "{}", good): (400, "model_missing"),
    }
    replies = []
    for (path, body, header), (status, code) in cases.items():
        reply = _curl(wire, version, path, body, header, kind)
        assert (reply.status, reply.error()["code"]) == (status, code)
        assert reply.headers["content-type"] == "application/json"
        assert reply.id
        replies.append(reply)
    lines = wire.lines(reply.id for reply in replies)
    assert [line["reason"] for line in lines] == [reply.error()["code"] for reply in replies]


def _curl(wire: Wire, version: str, path: str, body: str, *headers: str) -> Reply:
    """Ask from the host itself; what is secret goes in by stdin."""
    lines = [f'url = "https://{wire.name}{path}"', f'resolve = "{wire.name}:443:{wire.address}"']
    lines += [f'header = "{header}"' for header in headers]
    if body:
        lines.append("data = " + json.dumps(body))
    told = "\n".join(lines)
    said = wire.world.shell(
        wire.host, f"curl -s -i -k {version} -K - <<'END' | tr -d '\\r'\n{told}\nEND"
    )
    head, _, content = said.partition("\n\n")
    first, *rest = head.splitlines()
    assert first.startswith("HTTP/2" if version == "--http2" else "HTTP/1.1"), first
    pairs = [line.partition(":")[::2] for line in rest]
    found = {name.lower(): value.strip() for name, value in pairs}
    return Reply(int(first.split()[1]), found, content.encode())


def test_an_engines_own_refusal_passes_as_it_is(wire: Wire) -> None:
    _fault(wire, "overload")
    try:
        reply = wire.send(wire.post(_ask(CODE)))
    finally:
        _fault(wire, "clear")
    assert reply.status == 429
    assert json.loads(reply.body)["error_type"] == "overloaded"
    assert int(reply.headers["retry-after"]) >= 1
    assert reply.id
    line = wire.logged(reply.id)
    assert (line["reason"], line["engine"], line["model"]) == ("", CODE, CODE)


def _fault(wire: Wire, kind: str) -> None:
    order = json.dumps({"kind": kind})
    wire.world.shell(wire.host, f"docker exec stoker-{CODE} sim-ctl fault '{order}'")


def test_a_stream_is_told_by_how_it_ended(wire: Wire) -> None:
    whole = wire.send(wire.post(_ask(CODE, stream=True)))
    assert whole.body.endswith(b"data: [DONE]\n\n")
    line = wire.logged(whole.id)
    told = (line["stream"], line["done"], line["stream_error"], line["completion"])
    assert told == ("yes", "yes", "no", "OK")
    assert (line["tenant"], line["route"], line["status"]) == ("default", "chat", 200)
    assert float(line["first"]) <= float(line["upstream_seconds"])

    _fault(wire, "overload")
    try:
        failed = wire.send(wire.post(_ask(CODE, stream=True)))
    finally:
        _fault(wire, "clear")
    assert failed.status == 200
    assert b'"error"' in failed.body
    assert wire.logged(failed.id)["stream_error"] == "yes"

    with wire.connect() as left:
        left.sendall(wire.post(_ask(CODE, tokens=4000, stream=True)))
        head = b""
        while b"data:" not in head:
            head += left.recv(65536)
    line = wire.logged(parsed(head.partition(b"\r\n\r\n")[0] + b"\r\n\r\n").id)
    assert (line["done"], line["completion"]) == ("no", "")


def test_a_stream_that_its_engine_breaks_off_has_no_end(wire: Wire) -> None:
    with wire.connect() as broken:
        broken.sendall(wire.post(_ask(CODE, tokens=4000, stream=True)))
        data = b""
        while b"data:" not in data:
            data += broken.recv(65536)
        wire.world.shell(wire.host, "docker kill -s KILL stoker-code")
        with suppress(OSError):
            while piece := broken.recv(65536):
                data += piece
    assert b"[DONE]" not in data
    assert not data.endswith(b"0\r\n\r\n")  # a client must not take it for whole
    head = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    line = wire.logged(parsed(head.replace(b"Transfer-Encoding", b"X")).id)
    assert (line["stream"], line["done"]) == ("yes", "no")


def test_the_log_holds_no_secret(wire: Wire) -> None:
    mark = f"prompt-{secrets.token_hex(8)}"
    body = {**_ask(), "messages": [{"role": "user", "content": mark}]}
    reply = wire.send(wire.post(body, f"X-Secret: {mark}", path=f"/v1/chat/completions?q={mark}"))
    assert reply.status == 200
    wire.logged(reply.id)
    found = wire.world.shell(wire.host, f"grep -rlE '{mark}|{wire.key}' /var/log/nginx || true")
    assert found == ""


# -- which engine ----------------------------------------------------------------------------------


def test_the_models_name_chooses_the_engine(wire: Wire) -> None:
    by_model = {CODE: {CODE}, MODEL: set(REPLICAS)}
    for model, engines in by_model.items():
        replies = [wire.send(wire.post(_ask(model))) for _ in range(8)]
        assert {reply.status for reply in replies} == {200}
        lines = wire.lines(reply.id for reply in replies)
        assert {line["engine"] for line in lines} == engines
        assert {line["model"] for line in lines} == {model}
        ledgers = {engine: wire.ledger(engine) for engine in engines}
        for line in lines:
            assert line["id"] in ledgers[line["engine"]]


def test_below_an_engines_name_is_that_engine_whatever_the_model(wire: Wire) -> None:
    for engine in (*REPLICAS, CODE):
        reply = wire.send(wire.post(_ask("whatever"), path=f"/{engine}/v1/chat/completions"))
        assert reply.status == 200
        assert reply.id in wire.ledger(engine)


def test_models_are_listed_and_told_of(wire: Wire) -> None:
    listed = wire.send(wire.head("GET /v1/models", "Connection: close"))
    assert [one["id"] for one in json.loads(listed.body)["data"]] == [CODE, MODEL]
    for name in (MODEL, MODEL.replace("/", "%2F"), CODE):
        one = wire.send(wire.head(f"GET /v1/models/{name}", "Connection: close"))
        assert json.loads(one.body)["id"] == name.replace("%2F", "/")
    unknown = wire.send(wire.post(_ask("nobody")))
    assert unknown.status == 404
    for model in (MODEL, CODE, "nobody"):
        assert model in unknown.error()["message"]
    _untouched(wire, [listed, unknown])


def test_the_body_is_read_as_the_engine_reads_it(wire: Wire) -> None:
    """Against Python's parser: the last `model` of the outermost object, wherever it stands."""
    generator = random.Random(7)
    bodies = [_strange(generator) for _ in range(120)]
    replies = [wire.send(wire.post(body)) for body in bodies]
    lines = wire.lines(reply.id for reply in replies)
    for body, reply, line in zip(bodies, replies, lines, strict=True):
        wanted = json.loads(body).get("model")
        if wanted in (MODEL, CODE):
            assert (reply.status, line["model"]) == (200, wanted), body
        else:
            code = "model_not_found" if isinstance(wanted, str) else "model_missing"
            assert reply.error()["code"] == code, body


def _strange(generator: random.Random) -> bytes:
    names = [MODEL, CODE, "nobody", None, 7, {"model": CODE}]
    deep: object = {"model": "nobody", "a": 'x"model":"y\\'}
    for _ in range(generator.choice((0, 3, 40, 200))):
        deep = [deep] if generator.random() < 0.5 else {"model": deep}
    text = "".join(generator.choice('ab"\\{}[]:,é\u2028\n😀') for _ in range(30))
    parts = [
        '"messages":[{"role":"user","content":' + json.dumps("Hi " + text) + "}]",
        '"max_tokens":2',
        '"metadata":' + json.dumps(deep, ensure_ascii=generator.random() < 0.5),
        json.dumps(text) + ":" + generator.choice(('"model"', "-1.5e3", "true", "[]", '"\\\\"')),
    ]
    for _ in range(generator.choice((0, 1, 1, 1, 2))):
        key = generator.choice(('"model"', '"model"', '"mod\\u0065l"'))
        name = json.dumps(generator.choice(names))
        parts.append(f"{key} : {name.replace('o', generator.choice(('o', chr(92) + 'u006f')))}")
    generator.shuffle(parts)
    space = generator.choice(("", " ", "\n\t "))
    return (space + "{" + f"{space},{space}".join(parts) + space + "}" + space).encode()


def test_what_is_no_json_names_no_model(wire: Wire) -> None:
    bodies = [
        b"",
        b"{",
        b'{"model":"code',
        b'["model","code"]',
        b'"model"',
        b"\xff\xfe{\x00",
        b"{}",
    ]
    bodies += [
        b'{"model"}',
        b'{"model":}',
        b'{"a":{"model":"code"}',
        b'{"a":"\\"model\\":\\"code"}',
    ]
    replies = [wire.send(wire.post(body)) for body in bodies]
    for body, reply in zip(bodies, replies, strict=True):
        assert (reply.status, reply.error()["code"]) == (400, "model_missing"), body
    _untouched(wire, replies)


def test_bodies_of_every_size_and_kind_find_their_engine(wire: Wire) -> None:
    picture = "A" * (6 << 20)
    large = json.dumps({**_ask(CODE), "metadata": [picture, picture]}).encode()
    head = ("POST /v1/chat/completions", "Content-Type: application/json", "Connection: close")
    pieces = [large[at : at + 100_000] for at in range(0, len(large), 100_000)]
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    replies = [
        wire.send(wire.post(large)),
        wire.send(wire.head(*head, "Transfer-Encoding: chunked") + chunked),
        wire.send(wire.post(_ask(CODE), "Expect: 100-continue")),
    ]
    for reply in replies:
        assert reply.status != 400, reply.body
        assert wire.logged(reply.id)["engine"] == CODE
    with wire.connect() as patient:
        whole = wire.post(_ask(CODE), "Expect: 100-continue")
        start = whole.index(b"\r\n\r\n") + 4
        patient.sendall(whole[:start])
        assert patient.recv(1000).startswith(b"HTTP/1.1 100")
        patient.sendall(whole[start:])
        assert patient.recv(1000).startswith(b"HTTP/1.1 200")


# -- replicas --------------------------------------------------------------------------------------


@contextmanager
def _unattended(wire: Wire) -> Iterator[None]:
    """A time in which no agent moves the gates."""
    wire.world.shell(wire.host, "systemctl stop stoker-agent")
    try:
        yield
    finally:
        for engine in (*REPLICAS, CODE):
            wire.gate(engine, is_open=True)
        wire.world.shell(wire.host, "systemctl start stoker-agent")
        _serve(wire)


def test_a_shut_gate_takes_a_replica_out_at_once(wire: Wire) -> None:
    with _unattended(wire):
        for shut, other in (REPLICAS, REPLICAS[::-1]):
            wire.gate(shut, is_open=False)
            replies = [wire.send(wire.post(_ask())) for _ in range(6)]
            assert {reply.status for reply in replies} == {200}
            assert {line["engine"] for line in wire.lines(r.id for r in replies)} == {other}
            alone = wire.send(wire.post(_ask(), path=f"/{shut}/v1/chat/completions"))
            assert alone.status == 503
            wire.gate(shut, is_open=True)
        for engine in REPLICAS:
            wire.gate(engine, is_open=False)
        refused = wire.send(wire.post(_ask()))
        assert (refused.status, refused.error()["code"]) == (503, "engine_not_serving")
        assert int(refused.headers["retry-after"]) >= 1
        _untouched(wire, [refused, alone])
        assert wire.send(wire.post(_ask(CODE))).status == 200
        listed = wire.send(wire.head("GET /v1/models", "Connection: close"))
        assert [one["id"] for one in json.loads(listed.body)["data"]] == [CODE]
        wire.gate(CODE, is_open=False)
        assert wire.send(wire.head("GET /v1/models", "Connection: close")).status == 503


def test_work_goes_where_less_is_under_way(wire: Wire) -> None:
    shared = [wire.connect() for _ in range(20)]
    seen = Counter[str]()
    for one in shared:
        one.sendall(wire.post(_ask(tokens=1000, stream=True)))
        head = one.recv(65536)
        seen[_id(head)] = 0
    for one in shared:
        one.close()
    engines = Counter(line["engine"] for line in wire.lines(seen))
    assert engines == {"main": 10, "two": 10}


def _id(head: bytes) -> str:
    return parsed(head.partition(b"\r\n\r\n")[0].replace(b"Transfer-", b"X-") + b"\r\n\r\n").id


def test_nothing_is_sent_twice(wire: Wire) -> None:
    """Refused connections are tried elsewhere; what was sent is lost with its engine, and said."""
    with _unattended(wire):
        wire.world.shell(wire.host, "docker kill -s KILL stoker-two")
        wait_for("two is gone", lambda: "two" not in wire.engines(), 10)
        replies = [wire.send(wire.post(_ask())) for _ in range(10)]
        assert {reply.status for reply in replies} == {200}
        lines = wire.lines(reply.id for reply in replies)
        assert any("," in line["upstream"] for line in lines)  # some found the one that is gone
        assert {line["engine"] for line in lines} == {"main"}
        ledger = wire.ledger("main")
        assert {ledger[reply.id]["received"] for reply in replies} == {1}
    with _unattended(wire):
        with wire.connect(60) as waiting:
            waiting.sendall(wire.post(_ask(tokens=4000)))  # not a stream: no byte comes for long
            place = wait_for("it is at an engine", lambda: _holder(wire), 10)
            wire.world.shell(wire.host, f"docker kill -s KILL stoker-{place}")
            lost = parsed(waiting.recv(65536))
        assert (lost.status, lost.error()["code"]) == (503, "engine_unavailable")
        other = next(name for name in REPLICAS if name != place)
        assert lost.id not in wire.ledger(other)
        assert wire.logged(lost.id)["engine"] == place


def _holder(wire: Wire) -> str:
    """Return the replica that has begun with something and not ended it."""
    for engine in REPLICAS:
        if any(set(events) == {"received", "started"} for events in wire.ledger(engine).values()):
            return engine
    return ""


# -- many ------------------------------------------------------------------------------------------


def test_a_thousand_streams_and_a_reload_lose_none(wire: Wire) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    _pace(wire, 0.4)  # until all are there, none comes to its end
    try:
        crowd = asyncio.run(_crowd(wire))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        _pace(wire, None)
    assert crowd.problems == []
    assert (crowd.whole, crowd.most) == (STREAMS, STREAMS)


async def _crowd(wire: Wire) -> Crowd:
    crowd, all_there = Crowd(wire), asyncio.Event()
    bodies = [_ask((MODEL, CODE)[n % 3 == 0], tokens=32, stream=True) for n in range(STREAMS)]

    async def reload() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(all_there.wait(), 70)
        await asyncio.to_thread(wire.world.shell, wire.host, "systemctl reload nginx")
        assert crowd.under_way == STREAMS, crowd.problems  # it fell in the middle
        await asyncio.to_thread(_pace, wire, 50)

    await asyncio.gather(crowd.run(bodies, all_there), reload())
    return crowd


def _pace(wire: Wire, rate: float | None) -> None:
    order = json.dumps({"kind": "slow", "tokens_per_second": rate} if rate else {"kind": "clear"})
    engines = " ".join((*REPLICAS, CODE))
    wire.world.shell(
        wire.host, f"for e in {engines}; do docker exec stoker-$e sim-ctl fault '{order}'; done"
    )
