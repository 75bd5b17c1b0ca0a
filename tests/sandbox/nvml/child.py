"""Runs the real pynvml on requests from standard input, one JSON object a line, each in a thread.

Request: {"id": 1, "call": "nvmlDeviceGetName", "arguments": [{"gpu": 0}]}. An argument is a plain
value, {"gpu": number} (a handle, opened once), {"pci": number} (that GPU's address), {"set": name}
or {"system set": version} (created once), {"array": class name, "length": number}, or {"struct":
class name} (its members are the reply). Reply: {"id": 1, "value": ...} or {"id": 1, "code": 15}.
"""

import ctypes
import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import pynvml


class Child:
    """Handles and event sets that requests share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Any] = {}

    def answer(self, request: dict[str, Any]) -> None:
        """Make the call and write the reply."""
        try:
            reply = {"value": self._call(request["call"], request["arguments"])}
        except pynvml.NVMLError as error:
            reply = {"code": error.value}
        line = json.dumps({"id": request["id"], **reply})
        with self._lock:
            print(line, flush=True)

    def _call(self, name: str, arguments: list[Any]) -> Any:
        filled = [
            getattr(pynvml, argument["struct"])()
            for argument in arguments
            if isinstance(argument, dict) and "struct" in argument
        ]
        unused = iter(filled)
        real = [
            ctypes.byref(next(unused))
            if isinstance(argument, dict) and "struct" in argument
            else self._argument(argument)
            for argument in arguments
        ]
        result = getattr(pynvml, name)(*real)
        return _plain(filled[0] if filled else result)

    def _argument(self, argument: Any) -> Any:
        match argument:
            case {"gpu": index}:
                return self._keep(f"gpu {index}", lambda: pynvml.nvmlDeviceGetHandleByIndex(index))
            case {"pci": index}:
                handle = self._argument({"gpu": index})
                return self._keep(f"pci {index}", lambda: pynvml.nvmlDeviceGetPciInfo(handle))
            case {"set": name}:
                return self._keep(f"set {name}", pynvml.nvmlEventSetCreate)
            case {"system set": version}:
                return self._keep("system", lambda: pynvml.nvmlSystemEventSetCreate(version))
            case {"array": name, "length": length}:
                return (getattr(pynvml, name) * length)()
        return argument

    def _keep(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, tuple, ctypes.Array)):
        return [_plain(item) for item in value]
    if isinstance(value, (ctypes.Structure, ctypes.Union)):
        names = [field[0] for field in value._fields_]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if hasattr(value, "__dict__"):
        return {name: _plain(item) for name, item in vars(value).items()}
    return value if isinstance(value, (int, float, str, type(None))) else repr(value)


def main() -> None:
    """Answer until standard input ends."""
    child = Child()
    for line in sys.stdin:
        threading.Thread(target=child.answer, args=(json.loads(line),), daemon=True).start()


if __name__ == "__main__":
    main()
