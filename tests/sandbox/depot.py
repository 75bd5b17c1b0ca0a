"""The depot: one machine of a fleet that serves container images, models and apt repositories."""

import json
import shutil
import ssl
import urllib.request
from functools import partial
from pathlib import Path

from tests.sandbox import docker, files, images, machines, recipes
from tests.sandbox.archive import Entry
from tests.sandbox.description import Description
from tests.sandbox.hub.repo import Settings, commit_of
from tests.sandbox.layout import DEPOT_OCTET, DOMAIN, FleetLayout
from tests.sandbox.machine import Machine
from tests.sandbox.progress import say, step, wait_until
from tests.sandbox.shell import SandboxError

NAME = "depot"
HERE = Path(__file__).parent
REGISTRY_PORT, HUB_PORT, APT_PORT = 5000, 8443, 8444
LIVENESS = {REGISTRY_PORT: "/v2/", HUB_PORT: "/status", APT_PORT: "/status"}
START_DEADLINE = 30.0
PUSH_DEADLINE = 1800.0
FILES = {
    "/etc/docker/registry/config.yml": "registry.yml",
    "/etc/systemd/system/docker-registry.service.d/root.conf": "registry-as-root.conf",
    "/etc/systemd/system/hub.service": "hub.service",
    "/etc/nginx/conf.d/apt.conf": "apt.conf",
}


class Depot:
    """The depot of one fleet. What it serves lies in `depot/` of the fleet's directory."""

    def __init__(self, layout: FleetLayout) -> None:
        self.layout = layout
        self.root = layout.directory / "depot"
        host = f"{NAME}.{DOMAIN}"
        fixed = {
            "registry": f"{host}:{REGISTRY_PORT}",
            "hub": f"https://{host}:{HUB_PORT}",
            "apt": f"https://{host}:{APT_PORT}",
        }
        self.description = Description(layout.directory / "depot.json", fixed)

    def machine(self) -> Machine:
        """How the depot is started."""
        laid = self._files()
        return Machine(
            layout=self.layout,
            name=NAME,
            octet=DEPOT_OCTET,
            image=recipes.depot().reference,
            binds={self.root: "/srv"},
            volumes={},
            identity=files.identity(laid),
            cgroup_version=docker.cgroup_version(),
            publish=(f"127.0.0.1::{REGISTRY_PORT}",),
        )

    def start(self) -> None:
        """Bring the depot up and wait until its three services answer over TLS."""
        images.ensure(recipes.depot())
        for part in ("registry", "hub", "apt"):
            (self.root / part).mkdir(parents=True, exist_ok=True)
        if machines.ensure(self.machine(), self._files(), login=False):
            say(f"the depot is up at {self.layout.depot_address}")
        for port, path in LIVENESS.items():
            if not wait_until(partial(self._answers, port, path), START_DEADLINE):
                raise SandboxError(f"the depot does not answer at port {port} ({path})")

    def push(self, local: str, repository: str, key: str) -> str:
        """Push the local image `local` as `repository`; record and give its pinned reference."""
        known = self.description.read()
        pushed, source = known["images"].get(key), docker.image_id(local)
        stamp = self.root / f"pushed-{key}"
        if pushed and stamp.exists() and stamp.read_text() == f"{source} {pushed}":
            return str(pushed)
        with step(f"pushing {repository} to the depot"):
            digest = self._push(local, repository)
        reference = f"{known['registry']}/{repository}@{digest}"
        self.description.add("images", key, reference)
        stamp.write_text(f"{source} {reference}")
        return reference

    def add_model(self, repo_id: str, directory: Path, *, gated: bool = False) -> str:
        """Serve a copy of the model in `directory` as `repo_id`; record and give its commit."""
        target = self.root / "hub" / repo_id
        shutil.rmtree(target, ignore_errors=True)
        # Hard links where possible: a real model is large, and is only read.
        shutil.copytree(directory, target, copy_function=_link_or_copy)
        Settings(gated=gated).save(target)
        commit = commit_of(target)
        self.description.add("models", repo_id, commit)
        return commit

    def has_model(self, repo_id: str) -> bool:
        """Tell whether the model is served already, complete."""
        return (
            repo_id in self.description.read()["models"] and (self.root / "hub" / repo_id).is_dir()
        )

    def _push(self, local: str, repository: str) -> str:
        # By a loopback port: Docker asks no certificate there, and /etc/docker stays untouched.
        port = docker.docker("port", self.machine().container, str(REGISTRY_PORT)).out.strip()
        remote = f"{port}/{repository}"
        docker.docker("tag", local, remote)
        try:
            docker.docker("push", remote, deadline=PUSH_DEADLINE)
            listed = docker.docker("image", "inspect", "--format", "{{json .RepoDigests}}", remote)
            return digest_for(remote, json.loads(listed.out))
        finally:
            docker.docker("image", "rm", remote)

    def _answers(self, port: int, path: str) -> bool:
        trust = ssl.create_default_context(cafile=str(self.layout.directory / "ca.pem"))
        url = f"https://{self.layout.depot_address}:{port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=3, context=trust) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _files(self) -> dict[str, Entry]:
        directory = self.layout.directory
        tokens = (directory / "hf-token").read_bytes() + b"\n"
        tokens += (directory / "hf-token-limited").read_bytes() + b" limited\n"
        laid = {
            **files.of_every_machine(self.layout),
            "/etc/depot/tls.crt": Entry((directory / "tls/depot.crt").read_bytes()),
            "/etc/depot/tls.key": Entry((directory / "tls/depot.key").read_bytes(), 0o600),
            "/etc/depot/hub-tokens": Entry(tokens, 0o600),
        }
        for target, name in FILES.items():
            laid[target] = Entry((HERE / "depot_files" / name).read_bytes())
        for source in sorted((HERE / "hub").glob("*.py")):
            laid[f"/opt/depot/hub/{source.name}"] = Entry(source.read_bytes())
        return laid


def digest_for(remote: str, digests: list[str]) -> str:
    """Find in Docker's `digests` (name@sha256:...) the digest under which `remote` was pushed."""
    for entry in digests:
        name, _, digest = entry.partition("@")
        if name == remote:
            return digest
    raise SandboxError(f"Docker knows no digest of {remote} after pushing it")


def _link_or_copy(source: str, target: str) -> str:
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)
    return target
