"""Host specs for the tests of the runner and of the weights."""

from pathlib import Path

from agent import manifest
from agent.manifest import Entry, Manifest
from agent.spec import (
    AgentSpec,
    DriftSpec,
    DriverSpec,
    EngineSpec,
    GatewaySpec,
    HostSpec,
    ModelSpec,
    RuntimeSpec,
    weights_path,
)


def host(root: Path, engines: dict[str, EngineSpec], hub: str = "https://hub.example") -> HostSpec:
    """A host whose weights lie under `root`."""
    return HostSpec(
        name="node-1",
        driver=DriverSpec(gpu_count=8),
        runtime=RuntimeSpec(),
        model=ModelSpec(hub=hub, root=str(root)),
        gateway=GatewaySpec(),
        agent=AgentSpec(),
        drift=DriftSpec(),
        engines=engines,
    )


def put_weights(spec: HostSpec, name: str) -> Path:
    """Complete weights of the engine `name`: one small file and its manifest."""
    engine = spec.engines[name]
    directory = Path(weights_path(spec.model, engine))
    directory.mkdir(parents=True)
    file = directory / "model.safetensors"
    file.write_bytes(b"weights")
    entry = Entry(size=7, sha256=manifest.sha256(file))
    made = Manifest(
        repo=engine.model, commit=engine.revision, code=False, files={"model.safetensors": entry}
    )
    manifest.save(directory, made)
    return directory
