"""Inventories to export."""

from pathlib import Path

from agent.engines import ENGINES
from agent.spec import HostSpec
from tests.agent.engines import examples
from tests.fleet.samples import ENGINE

SPECS = {
    "tgi": tuple(examples.TGI.values()),
    "vllm": tuple(examples.VLLM.values()),
    "sglang": tuple(examples.SGLANG.values()),
}
_CAPTURED = Path(examples.__file__).parent / "samples"
SAMPLES = {kind: _CAPTURED / f"{kind}.txt" for kind in ENGINES}


def specs(hosts: int = 1, **data: object) -> dict[str, HostSpec]:
    """So many hosts that all have the same settings; the model is called chat."""
    names = [f"gpu-{number}" for number in range(1, hosts + 1)]
    known = {**ENGINE, "engine_served_name": "chat"}
    return {name: HostSpec.from_data(name, {**known, **data}) for name in names}
