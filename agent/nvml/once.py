"""One look at all GPUs for a person, with what the agent does not watch: one document of JSON.

    {"reading": POLL, "more": {PCI: {"ecc": [NOW, AFTER A RESET]}}}

POLL is what the worker answers. `python -m agent.nvml.once`.
"""

import json
import sys
from typing import Any

import pynvml

from agent.nvml.look import Look
from agent.nvml.worker import Reader


def main() -> None:
    """Look once, and write it down."""
    reading = Reader().poll({"fresh": True})
    more = {gpu["pci"]: _more(gpu["pci"]) for gpu in reading.get("gpus", ()) if gpu.get("pci")}
    json.dump({"reading": reading, "more": more}, sys.stdout)


def _more(pci: str) -> dict[str, Any]:
    try:
        gpu = pynvml.nvmlDeviceGetHandleByPciBusId(pci)
        return {"ecc": Look().ask("nvmlDeviceGetEccMode", gpu)}
    except pynvml.NVMLError:  # the poll tells about it
        return {}


if __name__ == "__main__":
    main()
