"""Compile the NVML simulator: `build(out_dir)` gives the path of `libnvidia-ml.so.1`."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE / "src"
SMI = HERE / "nvidia-smi"
LIBRARY = "libnvidia-ml.so.1"
FLAGS = (
    *("-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"),
    *("-shared", "-fPIC", "-fvisibility=hidden", "-pthread"),
    *(f"-Wl,-soname,{LIBRARY}", "-Wl,--no-undefined"),
)


def source_hash() -> str:
    """Changes with any source, header, default or compiler flag."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in sorted(SOURCE.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def build(out_dir: Path) -> Path:
    """Compile into `out_dir` and return the library's path; an up-to-date one is left alone.

    Raises subprocess.CalledProcessError when gcc refuses, FileNotFoundError without gcc.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    library = out_dir / LIBRARY
    stamp = out_dir / f"{LIBRARY}.sha256"
    wanted = source_hash()
    if library.exists() and stamp.exists() and stamp.read_text() == wanted:
        return library
    gcc = shutil.which("gcc")
    if gcc is None:
        raise FileNotFoundError("gcc is missing; install it to build the NVML simulator")
    fresh = out_dir.resolve() / f"{LIBRARY}.{os.getpid()}"
    # In the source directory, where the assembler finds h100.defaults.
    sources = sorted(path.name for path in SOURCE.glob("*.c"))
    subprocess.run([gcc, *FLAGS, *sources, "-o", str(fresh)], cwd=SOURCE, check=True)
    fresh.replace(library)
    stamp.write_text(wanted)
    return library
