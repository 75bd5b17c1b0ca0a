"""Answers polls: for each line that it reads, one line of JSON. `python -m agent.nvml.worker`.

A request is `{"fresh": false, "hands_off": {BUS: WHY}, "known": [{uuid, pci, name}, …]}`, all
optional: whether slow facts must be new; GPUs that must not be called; GPUs in the order of their
numbers, as a former worker saw them. STOKER_NVML_PLACE, if set, is the descriptor of a file of one
byte to map: the number of the GPU that is being looked at plus one, 0 between them, so that our
parent sees where we hang without asking.
"""

import json
import mmap
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pynvml

from agent.nvml.seat import Seat, bus, named


class Reader:
    """Holds NVML open between polls."""

    def __init__(
        self,
        place: bytearray | mmap.mmap | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place, self._clock = place if place is not None else bytearray(1), clock
        self._driver = ""
        self._seats: list[Seat] = []

    def poll(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Look at every GPU; a GPU that fails keeps its place with its error."""
        off = {bus(where): why for where, why in request.get("hands_off", {}).items()}
        try:
            self._open(request.get("known", ()))
            self._count(off)
            fresh = bool(request.get("fresh"))
            gpus = [self._gpu(index, off, fresh) for index in range(len(self._seats))]
        except pynvml.NVMLError as error:
            self._driver = ""
            return {"error": error.value, "error_text": str(error)}
        return {"driver": self._driver, "gpus": gpus}

    def _open(self, known: Sequence[Mapping[str, str]]) -> None:
        if self._driver:
            return
        pynvml.nvmlInit()
        self._driver = pynvml.nvmlSystemGetDriverVersion()
        self._seats = self._seats or [named(names) for names in known]

    def _count(self, off: Mapping[str, str]) -> None:
        """See who sits where when the number of GPUs has changed; call nobody in `off`."""
        count = pynvml.nvmlDeviceGetCount()
        if count == len(self._seats):
            return
        kept = [seat for seat in self._seats if seat.key() in off or seat.is_there()]
        self._seats = kept if len(kept) == count else [Seat() for _ in range(count)]

    def _gpu(self, index: int, off: Mapping[str, str], fresh: bool) -> dict[str, Any]:
        seat = self._seats[index]
        why = off.get(seat.key()) if off and seat.names else None
        if why is not None:
            return seat.remembered(index, None, f"not called: {why}")
        self._place[0] = index + 1
        try:
            return seat.look(index, self._clock(), fresh=fresh)
        finally:
            self._place[0] = 0


def main() -> None:
    """Answer until our parent closes the pipe."""
    shared = os.environ.get("STOKER_NVML_PLACE")
    reader = Reader(mmap.mmap(int(shared), 1) if shared else None)
    for line in sys.stdin.buffer:
        answer = json.dumps(reader.poll(json.loads(line)), separators=(",", ":"))
        sys.stdout.buffer.write(answer.encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
