"""The OpenAPI 3.1 document of the agent's HTTP, made from the very values that are encoded. Pure.

A test sends a fuzzer against it: a status code or a body that is not in here fails.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

import agent
from agent.documents import Ack, Ask, Free, Gpus, GpuView, Incidents, Problem, Summary
from agent.model import EngineState, Verb
from agent.news import News
from agent.page.document import Page
from agent.page.history import History
from agent.snapshot import Snapshot
from agent.xid.incident import Incident

Json = dict[str, Any]

JSON, TEXT, EVENTS = "application/json", "text/plain", "text/event-stream"
HTML, FILES = "text/html", ("text/css", "text/javascript", "image/svg+xml")
Body = type | str | tuple[str, ...] | None  # a value, other kinds of content, or nothing
BODIES = (
    *(Snapshot, Incidents, Incident, Gpus, GpuView, News, Summary, Page, History),
    *(Problem, Ask, Ack, Free, EngineState),
)


def document(*, writes: bool) -> Json:
    """Return the document; `writes`: with what the unix socket takes beside the reads."""
    _, schemas = msgspec.json.schema_components(BODIES, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Stoker agent",
            "version": agent.__version__,
            "summary": "The health of one GPU host and of the engines that it serves",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {**_reads(), **(_writes() if writes else {})},
        "components": {"schemas": schemas},
    }


def _reads() -> Json:
    return {
        "/": _get("The status page", {200: HTML, 304: None}),
        "/page/{name}": _get(
            "A file of the status page",
            {200: FILES, 304: None, 404: Problem},
            _parameter("name", "path", {"type": "string"}),
        ),
        "/livez": _get("The agent's loop turns", {200: TEXT, 503: TEXT}),
        "/readyz": _get(
            "New requests may be sent to the node, or to one engine",
            {200: TEXT, 404: TEXT, 503: TEXT},
            _parameter("engine", "query", {"type": "string"}, "one engine instead of all"),
        ),
        "/v1/status": _read("Everything", Snapshot),
        "/v1/incidents": _read(
            "Faults of GPUs, what was made of them, and what closed them",
            Incidents,
            _parameter(
                "state",
                "query",
                {"enum": ["open", "closed", "all"], "default": "open"},
                "the latest 50 of the closed ones are shown",
            ),
        ),
        "/v1/incidents/{id}": _read(
            "One incident", Incident, _parameter("id", "path", {"type": "string"})
        ),
        "/v1/gpus": _read("GPUs, and all that is about them", Gpus),
        "/v1/gpus/{uuid}": _read(
            "One GPU", GpuView, _parameter("uuid", "path", {"type": "string"})
        ),
        "/v1/events": _get(
            "Server-sent events: `snapshot` (a Summary) first, then News as it happens",
            {200: EVENTS, 400: Problem, 503: Problem},
            _parameter("Last-Event-ID", "header", {"type": "string"}, "the event to go on after"),
        ),
        "/v1/page": _read("What the status page shows", Page),
        "/v1/history": _get("The last quarter of an hour in numbers", {200: History, 400: Problem}),
        "/metrics": _get("For Prometheus", {200: TEXT}),
        "/openapi.json": _get("This document", {200: JSON}),
    }


def _writes() -> Json:
    wrong = {400: Problem, 413: Problem}
    asked = {202: EngineState, **wrong, 404: Problem, 409: Problem, 503: Problem}
    acked = {202: Ack, **wrong, 404: Problem, 409: Problem, 503: Problem}
    verbs = {f"/v1/{verb}": _post(verb.capitalize(), Ask, asked) for verb in Verb}
    return {
        **verbs,
        "/v1/ack": _post("Close an incident by a person's word", Ack, acked),
        "/v1/free": _post("Give back the slot of the fleet brake", Free, {202: Free, **wrong}),
    }


def _read(summary: str, body: type, *parameters: Json) -> Json:
    found = {200: body, 400: Problem, 503: Problem}
    if any(one["in"] == "path" for one in parameters):
        found[404] = Problem
    return _get(summary, found, *parameters)


def _get(summary: str, answers: Mapping[int, Body], *parameters: Json) -> Json:
    told = {"summary": summary, "parameters": list(parameters)}
    heads = {str(status): {"description": _WORDS[status]} for status in answers}
    return {
        "get": {**told, "responses": _answers(answers)},
        "head": {**told, "responses": heads},
    }


def _post(summary: str, body: type, answers: Mapping[int, Body]) -> Json:
    content = {"required": True, "content": {JSON: {"schema": _ref(body)}}}
    return {"post": {"summary": summary, "requestBody": content, "responses": _answers(answers)}}


def _answers(answers: Mapping[int, Body]) -> Json:
    return {
        str(status): {
            "description": _WORDS[status],
            **({} if body is None else {"content": _content(body)}),
        }
        for status, body in answers.items()
    }


def _content(body: type | str | tuple[str, ...]) -> Json:
    if isinstance(body, tuple):
        return {kind: {"schema": {"type": "string"}} for kind in body}
    if isinstance(body, str):
        return {body: {"schema": {"type": "object" if body == JSON else "string"}}}
    return {JSON: {"schema": _ref(body)}}


def _ref(body: type) -> Json:
    return {"$ref": f"#/components/schemas/{body.__name__}"}


def _parameter(name: str, place: str, schema: Json, text: str = "") -> Json:
    required = {"required": True} if place == "path" else {}
    described = {"description": text} if text else {}
    return {"name": name, "in": place, "schema": schema, **required, **described}


_WORDS = {
    200: "yes",
    202: "taken on, and audited",
    304: "you have it already",
    400: "not understood",
    404: "there is no such thing here",
    409: "not as things are: it was closed before, or there is no slot",
    413: "the request is too long",
    503: "no, or not now",
}

READS = msgspec.json.encode(document(writes=False))
WRITES = msgspec.json.encode(document(writes=True))
