"""Build the simulator's container images, without pulling anything: ``build()`` gives a name.

A small Debian 12 root directory (cached), aiohttp, this package under /opt, and programs of the
real engines' names. The images of the dialects are one file system with different entry points.
The name carries a hash of all inputs: an unchanged image is not built again.
"""

import compileall
import hashlib
import py_compile
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parent
CACHE = Path("/var/cache/stoker-sandbox/engine-sim")
REPOSITORY = "stoker-local/{dialect}-sim"
_COMMON = "stoker-local/engine-sim"

_SUITE = "bookworm"
_PYTHON = "3.11"  # bookworm's python3
_APT = ("python3", "ca-certificates")
_UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt")
_HARNESS = "harness.py"
_PROGRAMS = (
    "text-generation-launcher",
    "text-generation-server",
    "text-generation-router",
    "vllm",
    "sglang",
)
_SCRIPT = """#!/bin/sh
export PYTHONPATH=/opt:/opt/engine_sim_deps
exec python3 -m {module} "$@"
"""
_LAUNCH_SERVER = """import os, sys
os.execv("/usr/local/bin/sglang", ["sglang", "launch_server", *sys.argv[1:]])
"""
_PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHANGES = {
    "tgi": (
        'ENTRYPOINT ["text-generation-launcher"]',
        "ENV PORT=80",
        "ENV HF_HOME=/data",
        "WORKDIR /usr/src",
    ),
    "vllm": (
        'ENTRYPOINT ["vllm","serve"]',
        "ENV HF_HOME=/root/.cache/huggingface",
        "WORKDIR /vllm-workspace",
        "EXPOSE 8000",
    ),
    # No entry point in the real one either: the whole command is the caller's.
    "sglang": ("WORKDIR /sgl-workspace/sglang",),
}


def build(dialect: str = "tgi") -> str:
    """Build the image of a dialect unless it is there already; its name is ``repository:hash``.

    Needs root, debootstrap, a Debian mirror and PyPI the first time. CalledProcessError when one
    of these steps fails, LookupError for an unknown dialect.
    """
    changes = _CHANGES[dialect]
    name = f"{REPOSITORY.format(dialect=dialect)}:{_digest()}"
    if not _run_quietly("docker", "image", "inspect", name):
        _derive(_common(), name, changes)
    return name


def _common() -> str:
    """The image without an entry point, of which the dialects' images are made."""
    name = f"{_COMMON}:{_digest()}"
    if _run_quietly("docker", "image", "inspect", name):
        return name
    base = _base()
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        root = Path(scratch) / "root"
        subprocess.run(["cp", "-a", "--reflink=auto", base, root], check=True)
        _install(root)
        _import(root, name)
    return name


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in {".py", ".tsv"} and path.name != _HARNESS:
            digest.update(f"{path.relative_to(PACKAGE)}\0".encode())
            digest.update(path.read_bytes())
    digest.update(version("aiohttp").encode())
    return digest.hexdigest()[:16]


def _base() -> Path:
    """The cached root directory; made aside and renamed, so that a broken build leaves none."""
    wanted = hashlib.sha256(repr((_SUITE, _APT, _UNNEEDED)).encode()).hexdigest()[:16]
    base = CACHE / f"base-{wanted}"
    if base.is_dir():
        return base
    CACHE.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=CACHE))
    packages = f"--include={','.join(_APT)}"
    subprocess.run(["debootstrap", "--variant=minbase", packages, _SUITE, scratch], check=True)
    for unneeded in _UNNEEDED:
        shutil.rmtree(scratch / unneeded)
        (scratch / unneeded).mkdir()
    scratch.chmod(0o755)
    try:
        return scratch.rename(base)
    except OSError:
        # Somebody else has just built the same; theirs is as good.
        shutil.rmtree(scratch)
        return base


def _install(root: Path) -> None:
    dependencies = root / "opt/engine_sim_deps"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(dependencies)]
    wanted = ["--python-version", _PYTHON, "--only-binary=:all:", f"aiohttp=={version('aiohttp')}"]
    subprocess.run([*pip, *wanted], check=True)
    package = root / "opt/engine_sim"
    shutil.copytree(
        PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "image.py", _HARNESS)
    )
    if f"{sys.version_info.major}.{sys.version_info.minor}" == _PYTHON:
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(root / "opt", quiet=2, invalidation_mode=mode)
    for program in _PROGRAMS:
        _script(root / "usr/local/bin" / program, f"engine_sim {program}")
    _script(root / "usr/local/bin/sim-ctl", "engine_sim.ctl")
    sglang = root / "usr/local/lib" / f"python{_PYTHON}" / "dist-packages/sglang"
    sglang.mkdir(parents=True)
    (sglang / "launch_server.py").write_text(_LAUNCH_SERVER)
    (root / "data").mkdir()


def _script(path: Path, module: str) -> None:
    path.write_text(_SCRIPT.format(module=module))
    path.chmod(0o755)


def _derive(parent: str, name: str, changes: tuple[str, ...]) -> None:
    """The same file system, another entry point."""
    create = ["docker", "create", parent, "sh"]
    container = subprocess.run(create, check=True, capture_output=True, text=True).stdout.strip()
    given = [part for change in changes for part in ("--change", change)]
    commit = ["docker", "commit", *given, container, name]
    try:
        subprocess.run(commit, check=True, stdout=subprocess.DEVNULL)
    finally:
        subprocess.run(["docker", "rm", container], check=True, stdout=subprocess.DEVNULL)


def _import(root: Path, name: str) -> None:
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(
            ["docker", "import", "--change", _PATH, "-", name],
            stdin=tar.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    if tar.returncode != 0:
        raise subprocess.CalledProcessError(tar.returncode, tar.args)


def _run_quietly(*command: str) -> bool:
    result = subprocess.run(command, capture_output=True, check=False)
    return result.returncode == 0


if __name__ == "__main__":
    print(build(*sys.argv[1:]))
