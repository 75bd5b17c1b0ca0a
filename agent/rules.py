"""What no single field of the spec can tell: combinations that cannot work."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from agent import kernel_settings, monitoring_spec, networks, scaling_spec, served
from agent.errors import SpecError
from agent.mig import layout
from agent.xid import catalogue

if TYPE_CHECKING:  # spec imports this module
    from agent.spec import EngineSpec, HostSpec

# It becomes part of unit names, container names and paths.
ENGINE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "API_KEY", "APIKEY", "CREDENTIAL", "CREDENTIALS")
# Whole words only: TOKENIZERS_PARALLELISM and MAX_BATCH_TOTAL_TOKENS hide nothing.
SECRET = re.compile(rf"(^|_)({'|'.join(SECRET_WORDS)})(_|$)")


def faults(spec: "HostSpec") -> list[str]:
    """Return one sentence for each impossible combination; none when the spec can be deployed."""
    found = [f for name, engine in spec.engines.items() for f in _engine(name, engine)]
    found.extend(_none(spec))
    found.extend(_daemon(spec))
    found.extend(kernel_settings.faults(spec.base.sysctl))
    found.extend(served.faults(spec.engines))
    found.extend(_ports(spec))
    found.extend(networks.faults(spec))
    found.extend(_xids(spec))
    found.extend(_off(spec))
    found.extend(_webhook(spec))
    found.extend(scaling_spec.faults(spec.scaling))
    found.extend(_balancer(spec))
    found.extend(monitoring_spec.faults(spec.monitoring))
    wanted = sum(engine.gpus for engine in spec.engines.values())
    if wanted > spec.driver.gpu_count:
        found.append(
            f"engine_gpus: the engines want {wanted} GPUs together, but driver_gpu_count is "
            f"{spec.driver.gpu_count}"
        )
    found.extend(_split(spec, wanted))
    return found


def _daemon(spec: "HostSpec") -> Iterator[str]:
    try:
        msgspec.json.encode(spec.runtime.daemon)
    except TypeError as error:
        yield (
            f"runtime_daemon: {error}; it becomes JSON: dicts, lists, strings, numbers, True, "
            "False, and None, which takes a setting out"
        )


def _none(spec: "HostSpec") -> Iterator[str]:
    """Only a host that is something else may have no engine."""
    if spec.engines:
        return
    if not spec.roles:
        yield (
            'engines = {}: expected {"NAME": {"gpus": 2, …}, …}; only a host with '
            "balancer_enabled or monitoring_enabled may have none"
        )
    elif spec.driver.gpu_count:
        yield (
            f"driver_gpu_count = {spec.driver.gpu_count}: a host without engines gets no driver; "
            "set it to 0"
        )


def _split(spec: "HostSpec", wanted: int) -> Iterator[str]:
    mig, count = spec.driver.mig, spec.driver.gpu_count
    yield from layout.faults(mig, count)
    if (halved := layout.split(mig, count)) and count - halved < wanted <= count:
        yield (
            f"engine_gpus: the engines want {wanted} GPUs together, but driver_mig splits "
            f"{halved} of the {count}, and an engine takes whole GPUs only: ask for "
            f"{count - halved}, or split fewer"
        )


def _engine(name: str, engine: "EngineSpec") -> Iterator[str]:
    if not ENGINE_NAME.fullmatch(name):
        yield f"engines[{name!r}]: a name has 1 to 31 lower-case letters, digits and '-'"
    if engine.max_input_tokens >= engine.max_total_tokens:
        yield (
            f"engine {name}: max_input_tokens = {engine.max_input_tokens}: must be less than "
            f"max_total_tokens = {engine.max_total_tokens}, which counts input and output"
        )
    for variable in engine.environment:
        if SECRET.search(variable.upper()):
            yield (
                f"engine {name}: environment[{variable!r}]: a secret must not stand in an "
                "environment (docker inspect shows it); engines run offline and need no token"
            )


def _xids(spec: "HostSpec") -> Iterator[str]:
    try:
        catalogue.overrides(spec.check.xid)
    except SpecError as error:
        yield str(error)


def _off(spec: "HostSpec") -> Iterator[str]:
    if not spec.check.off:
        return
    # Checks judge by the spec; and their sources take aiohttp with them.
    from agent.checks import CHECKS  # noqa: PLC0415

    known = [check.name for check in CHECKS]
    for name in sorted(set(spec.check.off) - set(known)):
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        yield f"check_off: there is no check {name!r}; {hint}"


def _webhook(spec: "HostSpec") -> Iterator[str]:
    if (spec.agent.webhook_url is None) != (spec.agent.webhook_secret_file is None):
        yield "agent_webhook_url and agent_webhook_secret_file: set both, or neither"


def _balancer(spec: "HostSpec") -> Iterator[str]:
    vip = spec.balancer.vip
    if vip is not None and not spec.balancer.enabled:
        yield f"balancer_vip = {vip!r}: this host is no balancer; set balancer_enabled too"
    if spec.balancer.enabled and spec.balancer.read_timeout <= spec.balancer.queue_seconds:
        yield (
            f"balancer_queue_seconds = {spec.balancer.queue_seconds:g}: must be less than "
            f"balancer_read_timeout = {spec.balancer.read_timeout:g}"
        )


def ports(spec: "HostSpec") -> list[tuple[str, int]]:
    """Return who wants which port of the host."""
    taken = [("agent", spec.agent.port), ("agent-check", spec.agent.check_port)]
    taken += [("gateway", 80), ("gateway", 443)] if spec.engines else []
    if spec.balancer.enabled:
        taken += [("balancer", spec.balancer.port)]
        taken += [("balancer's metrics", spec.balancer.metrics_port)]
    if spec.monitoring.enabled:
        ports = (spec.monitoring.port, spec.monitoring.alertmanager_port)
        taken += list(zip(("Prometheus", "Alertmanager"), ports, strict=True))
    return taken + [(f"engine {name}", engine.port) for name, engine in spec.engines.items()]


def _ports(spec: "HostSpec") -> Iterator[str]:
    taken = ports(spec)
    for port, count in Counter(port for _, port in taken).items():
        if count > 1:
            users = " and ".join(user for user, p in taken if p == port)
            yield f"port {port}: wanted by {users}; give each its own"
