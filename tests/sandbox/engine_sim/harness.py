"""For tests: run the simulator as a process on loopback ports, and talk to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from tests.ports import free_port

_REPOSITORY = Path(__file__).parents[3]
DEADLINE = 30.0  # seconds, for anything that is waited for; ample for a busy machine


def make_model(
    directory: Path, *, heads: int = 4, kv_heads: int = 2, positions: int = 2048
) -> Path:
    """A model directory with what an engine reads, and no weights."""
    directory.mkdir(exist_ok=True)
    config = {"num_attention_heads": heads, "num_key_value_heads": kv_heads}
    config["max_position_embeddings"] = positions
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "tokenizer.json").write_text("{}")
    (directory / "tokenizer_config.json").write_text(json.dumps({"chat_template": "x"}))
    return directory


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Poll until the condition holds; AssertionError after the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE} s: {what}"
        time.sleep(0.01)


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)

    @property
    def events(self) -> list[Any]:
        """The payloads of a stream: JSON values, or text where it is none ("[DONE]")."""
        lines = [line for line in self.text.splitlines() if line.startswith("data: ")]
        payloads = [line.removeprefix("data: ") for line in lines]
        return [json.loads(one) if one.startswith("{") else one for one in payloads]


@dataclass
class Simulator:
    """A simulator process and its ports."""

    directory: Path
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    control_port: int = field(default_factory=free_port)

    def start(self) -> None:
        """Start it; what it prints goes to files in the directory."""
        command = [sys.executable, "-m", "tests.sandbox.engine_sim", *self.arguments]
        ours = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(_REPOSITORY),
            "STOKER_SIM_CONTROL_PORT": str(self.control_port),
            "PORT": str(self.port),
            "PROMETHEUS_PORT": str(free_port()),
            "HOSTNAME": "127.0.0.1",
            "SHARD_UDS_PATH": str(self.directory / "shard"),
            "TMPDIR": str(self.directory),
            "JSON_OUTPUT": "true",
            "NVIDIA_VISIBLE_DEVICES": "GPU-1,GPU-2",
        }
        with (self.directory / "log").open("w") as log, self._stderr_path.open("w") as stderr:
            self.process = subprocess.Popen(
                command, cwd=self.directory, env=ours | dict(self.env), stdout=log, stderr=stderr
            )

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(timeout=DEADLINE)

    def end(self) -> None:
        """Kill it and its children; these are in groups of their own, and may have outlived it."""
        self.process.kill()
        self.process.wait()
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # ended meanwhile
                text = command.read_text()
                if "engine_sim" in text and f"{self.directory}/" in text:
                    os.kill(int(command.parent.name), signal.SIGKILL)

    @property
    def log(self) -> str:
        """All it has logged so far."""
        return (self.directory / "log").read_text()

    @property
    def stderr(self) -> str:
        """All of its stderr so far."""
        return self._stderr_path.read_text()

    @property
    def _stderr_path(self) -> Path:
        return self.directory / "stderr"

    def is_listening(self) -> bool:
        """Whether the API port is open."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_until_serving(self) -> None:
        """Wait for the API port; AssertionError with its last words when it ends instead."""

        def served() -> bool:
            assert self.process.poll() is None, f"ended while starting: {self.log}{self.stderr}"
            return self.is_listening()

        wait_for(served, "port open")

    def open(self, path: str, body: object = None, **headers: str) -> HTTPResponse:
        """Send a request and give the answer as soon as its head is there."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        if body is None:
            connection.request("GET", path, headers=headers)
        else:
            text = body if isinstance(body, str) else json.dumps(body)
            kind = {"Content-Type": "application/json"}
            connection.request("POST", path, text, kind | headers)
        return connection.getresponse()

    def ask(self, path: str, body: object = None, **headers: str) -> Answer:
        """Send a request and read the whole answer."""
        response = self.open(path, body, **headers)
        return Answer(response.status, dict(response.headers), response.read().decode())

    def control(self, path: str, body: object = None) -> Any:
        """Ask the control port; the answer's JSON."""
        connection = HTTPConnection("127.0.0.1", self.control_port, timeout=DEADLINE)
        method = "GET" if body is None else "POST"
        connection.request(method, path, None if body is None else json.dumps(body))
        return json.loads(connection.getresponse().read())

    def fault(self, **order: object) -> Any:
        """Order a fault."""
        return self.control("/fault", order)

    def metric(self, sample: str) -> float | None:
        """The value of one sample of /metrics, by its name with labels; None when absent."""
        for line in self.ask("/metrics").text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return None


def command(dialect: str, model: Path, port: int) -> tuple[str, ...]:
    """The command line by which an engine of this dialect serves a model on a loopback port."""
    listen = ("--host", "127.0.0.1", "--port", str(port))
    return {
        "tgi": ("--model-id", str(model)),
        "vllm": ("vllm", "serve", str(model), *listen),
        "sglang": ("sglang", "serve", "--model-path", str(model), *listen, "--enable-metrics"),
    }[dialect]


@contextmanager
def running(
    directory: Path,
    *flags: str,
    serving: bool = True,
    dialect: str = "tgi",
    env: Mapping[str, str] | None = None,
    **settings: object,
) -> Iterator[Simulator]:
    """A simulator with a tiny model, ended when the block ends."""
    model = make_model(directory / "model")
    quick = {"load_seconds": 0.1, "tokens_per_second": 100}
    (model / "sim-faults.json").write_text(json.dumps(quick | settings))
    port = free_port()
    simulator = Simulator(directory, (*command(dialect, model, port), *flags), env or {}, port)
    simulator.start()
    try:
        if serving:
            simulator.wait_until_serving()
        yield simulator
    finally:
        simulator.end()
