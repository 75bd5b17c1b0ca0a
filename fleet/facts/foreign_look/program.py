"""Prints the containers that are not ours as one JSON document; nothing if Docker is silent."""

from __future__ import annotations

import json
import re
from typing import Any

from fleet.facts.foreign_look.caches import caches
from fleet.facts.foreign_look.command import run
from fleet.facts.foreign_look.config import injection, model, published, secrets
from fleet.facts.foreign_look.holds import holding, listening
from fleet.facts.foreign_look.owner import owner, units

OURS = "stoker.engine"  # the label of our engines (agent.runner.rendering)

Json = dict[str, Any]


def container(inspected: Json, wanted: list[str], secret: re.Pattern[str], seen: Json) -> Json:
    """Return what is told of one container."""
    config, host = inspected["Config"], inspected["HostConfig"]
    environment = dict(line.split("=", 1) for line in config.get("Env") or [] if "=" in line)
    words = [*(config.get("Cmd") or [])]
    labels = config.get("Labels") or {}
    directory = labels.get("com.docker.compose.project.working_dir", "")
    kind, devices = injection(host, environment)
    name = inspected["Name"].lstrip("/")
    ports = published(inspected)
    ports += [{"address": a, "port": p} for one, a, p in seen["ports"] if one == inspected["Id"]]
    return {
        "name": name,
        "image": config.get("Image", ""),
        "running": bool(inspected["State"]["Running"]),
        "restart": (host.get("RestartPolicy") or {}).get("Name") or "no",
        "ports": ports,
        "injection": kind,
        "devices": devices,
        "holds": sorted({gpu for one, gpu in seen["gpus"] if one == inspected["Id"]}),
        "secrets": secrets(environment, [*(config.get("Entrypoint") or []), *words], secret),
        "model": model(environment, words),
        "unit": owner(name, directory, seen["units"]),
        "project": labels.get("com.docker.compose.project", ""),
        "directory": directory,
        "caches": caches(inspected, environment, wanted),
    }


def main(secret: str, wanted: list[str]) -> None:
    """Print them; `wanted` = ORGANISATION/NAME@COMMIT, `secret` = what their names match."""
    listed = run("docker", "ps", "-aq", "--no-trunc")
    if listed is None:
        return
    # It fails if one of them is gone meanwhile, and tells of the others all the same.
    asked = run("docker", "inspect", *listed.split(), check=False) if listed.split() else "[]"
    if not asked:
        return
    found = json.loads(asked)
    foreign = [one for one in found if OURS not in (one["Config"].get("Labels") or {})]
    seen = {"ports": listening(), "gpus": holding(), "units": units()} if foreign else {}
    pattern = re.compile(secret)
    told = [container(one, wanted, pattern, seen) for one in foreign]
    print(json.dumps(sorted(told, key=lambda one: str(one["name"]))))
