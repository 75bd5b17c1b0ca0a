"""What nginx is told: routes, replicas, refusals. What it makes of it: tests/e2e/test_e_gateway."""

import json
import re
from typing import Any

import pytest

from agent.engines import ENGINES
from agent.errors import SpecError
from agent.spec import HostSpec
from fleet import gateway, gateway_routes
from fleet.facts.nginx import Nginx
from fleet.gateway_errors import refusals
from tests.fleet.samples import spec

NGINX = Nginx((1, 26, 3))
PIN = "org/sql@" + "b" * 40


def several(**data: Any) -> HostSpec:
    """Return a host with three replicas of `chat`, with an adapter, and one engine of `code`."""
    chat = {"served_name": "chat", "gpus": 0, "lora_adapters": {"sql": PIN}}
    engines = {name: {**chat, "port": 8080 + n} for n, name in enumerate(("a", "b", "c"))}
    engines["code"] = {"served_name": "code", "gpus": 0, "port": 8090}
    return spec(driver_gpu_count=0, engines=engines, **data)


def conf(made: HostSpec) -> str:
    """Return its configuration."""
    return gateway.nginx_conf(made, NGINX)


def location(text: str, head: str) -> str:
    """Return the block of a location."""
    return text.split(f"location {head} {{\n")[1].split("\n        }\n", maxsplit=1)[0]


def test_with_one_model_no_body_is_looked_into() -> None:
    one = spec()
    text = conf(one)
    assert gateway.packages(one) == ["nginx"]
    assert "js_" not in text
    assert "load_module" not in text
    assert "http://engine-main$stoker_open/v1/completions;" in location(text, "= /v1/completions")


def test_with_several_models_the_script_chooses() -> None:
    made = several()
    text = conf(made)
    assert gateway.packages(made) == ["nginx", "libnginx-mod-http-js"]
    assert text.startswith("# Written by Stoker.")
    assert "load_module modules/ngx_http_js_module.so;" in text
    assert f"js_import gateway from {gateway.SCRIPT};" in text
    chat = location(text, "= /v1/chat/completions")
    assert "js_content gateway.route;" in chat
    assert "proxy_pass" not in chat
    script = gateway.script(made)
    places = json.loads(re.findall(r"const PLACES = (\{.*?\n\});", script, re.DOTALL)[0])
    by_model = {"chat": "@pool-a", "sql": "@pool-a", "code": "@pool-code"}
    assert places == {"chat": by_model, "completions": by_model}


def test_replicas_have_an_upstream_for_each_set_that_may_be_open() -> None:
    text = conf(several())
    names = re.findall(r"upstream (\S+) \{", text)
    assert names == [
        *("engine-a", "engine-b", "engine-c", "engine-code"),
        *("replicas-a-0", "replicas-a-1", "replicas-a-2"),
        *("replicas-a-01", "replicas-a-02", "replicas-a-12", "replicas-a-012"),
    ]
    both = text.split("upstream replicas-a-02 {")[1].split("}")[0]
    assert re.findall(r"server (\S+)", both) == ["127.0.0.1:8080", "127.0.0.1:8082"]
    assert "least_conn;" in both
    assert "zone replicas-a-02 " in both
    place = location(text, "@pool-a")
    assert re.findall(r"-f (\S+)\)", place) == [f"/run/stoker/gates/{n}.open" for n in "abc"]
    assert "proxy_pass http://replicas-a-$stoker_open$uri;" in place


def test_every_way_to_an_engine_passes_the_key_the_limits_and_a_gate() -> None:
    for made in (spec(), several()):
        text = conf(made)
        for way in gateway_routes.ways(made.engines):
            block = location(text, f"= {way.path}")
            assert block.count("/_stoker/unauthorized") == 2
            assert f"include {gateway.LIMITS};" in block
            assert "limit_conn addresses" in block
            assert 'if ($request_method !~ "^(POST)$")' in block
            assert block.count("/run/stoker/gates/") == len(way.pool.engines if way.pool else ())
        for block in re.findall(r"location [^{]+\{.*?\n        \}", text, re.DOTALL):
            assert ("proxy_pass" in block) <= ("/run/stoker/gates/" in block), block


def test_no_location_hides_the_headers_of_all_answers() -> None:
    """nginx drops what was added above wherever something is added below."""
    text = conf(several())
    for block in re.findall(r"\n        location [^{]+\{.*?\n        \}", text, re.DOTALL):
        assert "add_header" not in block
        assert "proxy_set_header" not in block
    assert len(re.findall(r"\n *add_header ", text)) == 4


def test_the_allow_list_is_what_every_engine_has() -> None:
    assert set(gateway_routes.ALL) == set(ENGINES)
    assert {route.path for route in gateway_routes.ROUTES} == {
        "/v1/chat/completions",
        "/v1/completions",
    }


def test_models_are_told_with_their_adapters() -> None:
    text = conf(several())
    told = location(text, "@model-a-1")
    assert json.loads(told.partition("'")[2].rpartition("\\n'")[0]) == {
        "id": "sql",
        "object": "model",
        "created": 0,
        "owned_by": "stoker",
        "parent": "chat",
        "max_model_len": 8192,
    }
    assert 'location = "/v1/models/sql" {' in text


def test_the_log_names_the_engine_that_was_asked_last() -> None:
    found = dict(gateway_routes.addresses(several().engines))
    assert found["127.0.0.1:8090"] == "code"
    assert found["127.0.0.1:8080, 127.0.0.1:8082"] == "c"
    assert len(found) == 1 + 3 + 6


@pytest.mark.parametrize("name", ["_", "gpu-1.example"])
def test_a_name_of_its_own_sends_other_hosts_away(name: str) -> None:
    text = conf(spec(gateway_server_name=name))
    own = name != "_"
    assert ("return 421;" in text) == own
    assert text.count("listen 443 ssl default_server;") == 1
    assert text.count("listen 443 ssl;") == own
    assert f"return 308 https://{name if own else '$host'}$request_uri;" in text


def test_every_refusal_is_valid_json_in_openais_shape() -> None:
    text = conf(several(gateway_server_name="gpu-1.example"))
    said = re.findall(r"return (\d+) '(.*)\\n';", text)
    errors = [(int(status), json.loads(body)["error"]) for status, body in said if "error" in body]
    assert {status for status, _ in errors} >= {400, 401, 404, 405, 413, 414, 421, 429, 431, 503}
    for _, error in errors:
        assert set(error) == {"message", "type", "param", "code"}
        assert error["message"].endswith(".")


def test_no_refusal_can_break_out_of_nginx_s_quotes() -> None:
    for refusal in refusals(32, "gpu-1.example", ["org/model"]):
        assert not set("'\"$\\") & set(refusal.text), refusal


@pytest.mark.parametrize("name", ["a.example; return 200", "a  b", "", "a\n", "$host", '"x"'])
def test_a_name_that_nginx_could_take_for_more_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="gateway_server_name"):
        spec(gateway_server_name=name)
