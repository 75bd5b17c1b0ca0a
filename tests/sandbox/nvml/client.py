"""A process with the real pynvml on the simulated library, for tests of either."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

PATIENCE_S = 20.0


class CallError(Exception):
    """An NVML call answered something else than success."""

    def __init__(self, call: str, code: int) -> None:
        super().__init__(f"{call} answered {code}")
        self.code = code


def gpu(index: int) -> dict[str, int]:
    """Argument: the handle of a GPU, opened at its first use and kept."""
    return {"gpu": index}


def pci(index: int) -> dict[str, int]:
    """Argument: the PCI address of a GPU, asked at its first use and kept."""
    return {"pci": index}


def events(name: str = "set") -> dict[str, str]:
    """Argument: the event set of that name, created at its first use."""
    return {"set": name}


def struct(name: str) -> dict[str, str]:
    """Argument: a fresh structure of pynvml, whose members the call then returns."""
    return {"struct": name}


def environment(library: Path, state: Path) -> dict[str, str]:
    """Variables with which a process finds the simulated library and its state."""
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(library.parent),
        "STOKER_NVML_STATE": str(state),
    }


class NvmlProcess:
    """Calls by name; several may be under way at once."""

    def __init__(self, library: Path, state: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.sandbox.nvml.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(library, state),
        )
        self._waiting: dict[int, tuple[str, Future[Any]]] = {}
        self._count = 0
        threading.Thread(target=self._receive, daemon=True).start()

    def call(self, name: str, *arguments: Any) -> Any:
        """The call's result; CallError with its code when it fails."""
        return self.begin(name, *arguments).result(PATIENCE_S)

    def code(self, name: str, *arguments: Any) -> int:
        """The call's return code."""
        try:
            self.call(name, *arguments)
        except CallError as error:
            return error.code
        return 0

    def begin(self, name: str, *arguments: Any) -> Future[Any]:
        """Make the call in a thread of the process, without waiting for it."""
        self._count += 1
        future: Future[Any] = Future()
        self._waiting[self._count] = (name, future)
        request = {"id": self._count, "call": name, "arguments": arguments}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return future

    def close(self) -> None:
        """End the process, hanging calls and all."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()

    def _receive(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            reply = json.loads(line)
            name, future = self._waiting.pop(reply["id"])
            if "code" in reply:
                future.set_exception(CallError(name, reply["code"]))
            else:
                future.set_result(reply["value"])
