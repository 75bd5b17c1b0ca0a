"""`make demo`: bare hosts, the real deploy over SSH, a chat through TLS, an engine that comes back.

With `--real` one host runs a real engine (vLLM on the CPU) with a real small model.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.sandbox.fleet import Fleet
from tests.sandbox.gateway import Gateway
from tests.sandbox.layout import DOMAIN, REPOSITORY
from tests.sandbox.shell import SandboxError

REAL = "real-1"
QUESTION = {False: "What does a stoker do?", True: "What is the capital of France?"}
# How the engine is killed: for vLLM it is the engine core, and then the server exits with 0.
KILL = {
    False: "docker kill -s KILL stoker-main",
    True: "pkill -KILL -f 'VLLM::[E]ngineCore'",  # so written, the pattern does not find itself
}


def main(arguments: list[str]) -> int:
    """Run the demo; exit code 1 with one sentence when a step does not do what it should."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--real", action="store_true", help="a real engine and a real model")
    real = parser.parse_args(arguments).real
    begun = time.monotonic()
    fleet = Fleet("demo")
    try:
        names = _show(fleet, real=real)
    except SandboxError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    _where_to_look(fleet, names, time.monotonic() - begun)
    return 0


def _show(fleet: Fleet, *, real: bool) -> list[str]:
    _title("1. bare hosts come up")
    fleet.up(*([REAL] if real else []))
    names = [REAL] if real else ["gpu-1", "gpu-2"]
    _title("2. pyinfra inventory/sandbox.py deploy.py")
    _deploy(fleet, names)
    _title("3. a chat completion streams from each host, through TLS, with the key")
    for name in names:
        _chat(fleet, name, QUESTION[real])
    _title(f"4. the engine on {names[0]} is killed, and comes back")
    _kill(fleet, names[0], KILL[real])
    _chat(fleet, names[0], QUESTION[real])
    return names


def _deploy(fleet: Fleet, names: list[str]) -> None:
    pyinfra = Path(sys.executable).with_name("pyinfra")
    command = [str(pyinfra), "inventory/sandbox.py", "deploy.py", "-y"]
    command += [part for name in names for part in ("--limit", name)]
    environment = {**os.environ, "STOKER_SANDBOX": str(fleet.directory)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise SandboxError(f"the deploy ended with exit code {done.returncode}; see above")


def _chat(fleet: Fleet, name: str, question: str) -> None:
    gateway = _gateway(fleet, name)
    print(f"{name}: {question}\n{name}: ", end="", flush=True)
    model = str(_engine(fleet, name)["served_name"])
    stream = gateway.stream(question, max_tokens=40, model=model)
    if stream.status != 200:
        raise SandboxError(f"{name} answered {stream.status} instead of a stream")
    for piece in stream:
        print(piece, end="", flush=True)
    print()
    if not stream.finished or stream.error or not stream.arrivals:
        raise SandboxError(f"the stream of {name} broke off: {stream.error or 'no end mark'}")
    print(f"   first piece after {stream.arrivals[0]:.2f} s, {len(stream.arrivals)} pieces")


def _kill(fleet: Fleet, name: str, command: str) -> None:
    before = _engine(fleet, name)["running_since"]
    begun = time.monotonic()
    fleet.ssh(name, f"sudo {command}")
    print(f"{name}: killed", flush=True)

    def back() -> bool:
        engine = _engine(fleet, name)
        fresh = engine["running_since"] not in {None, before}
        return fresh and bool(engine["state"]["phase"] == "SERVING")

    _follow(fleet, name, back, seconds=300)
    print(f"{name}: serving again after {time.monotonic() - begun:.1f} s")


def _follow(fleet: Fleet, name: str, done: Callable[[], bool], seconds: float) -> None:
    """Print each change of phase until `done`."""
    told = ""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if done():
            return
        state = _engine(fleet, name)["state"]
        line = f"{state['phase']} {state['reason']}: {state['message']}"
        if line != told:
            print(f"   {line}", flush=True)
            told = line
        time.sleep(0.3)
    raise SandboxError(f"{name} does not serve again within {seconds:.0f} s; last: {told}")


def _engine(fleet: Fleet, name: str) -> dict[str, Any]:
    document = json.loads(fleet.ssh(name, "sudo stokerctl status --json").out)
    return dict(document["engines"]["main"])


def _gateway(fleet: Fleet, name: str) -> Gateway:
    hosts = json.loads((fleet.directory / "hosts.json").read_text())
    address = next(host["address"] for host in hosts if host["name"] == name)
    key = (fleet.directory / "api-key").read_text().strip()
    return Gateway(address, fleet.directory / "ca.pem", key, name=f"{name}.{DOMAIN}")


def _where_to_look(fleet: Fleet, names: list[str], seconds: float) -> None:
    here = os.path.relpath(fleet.directory)
    hosts = json.loads((fleet.directory / "hosts.json").read_text())
    _title(f"ready after {seconds:.0f} s; look around")
    for host in hosts:
        if host["name"] in names:
            at = f"https://{host['name']}.{DOMAIN}/v1 at {host['address']}"
            print(f"  {host['name']:7} {at}   agent {host['agent']}/v1/status")
    address = next(host["address"] for host in hosts if host["name"] == names[0])
    named = f"{names[0]}.{DOMAIN}"
    model = _engine(fleet, names[0])["served_name"]
    print(f"""
  key         {here}/api-key     CA {here}/ca.pem
  ask         curl --cacert {here}/ca.pem -H "Authorization: Bearer $(cat {here}/api-key)" \\
                -H 'Content-Type: application/json' --resolve {named}:443:{address} \\
                https://{named}/v1/chat/completions \\
                -d '{{"model":"{model}","stream":true,
                     "messages":[{{"role":"user","content":"Hi"}}]}}'
  log in      ssh -F {here}/ssh_config {names[0]}
  look        sudo stokerctl status          (on the host; also drain, undrain, restart)
  deploy      .venv/bin/pyinfra inventory/sandbox.py deploy.py -y      (again: no change)
  remove      make demo-down""")


def _title(text: str) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}== {text}{plain}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
