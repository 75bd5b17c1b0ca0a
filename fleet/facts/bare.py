"""What a host is before anything is done to it: one command that needs no package of ours."""

import re

from msgspec import Struct
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from fleet.facts.docker import LOOK as DOCKER_LOOK
from fleet.facts.docker import Docker, read_docker
from fleet.facts.doors import LOOK as DOORS_LOOK
from fleet.facts.doors import Doors
from fleet.facts.doors import read as read_doors
from fleet.facts.foreign import Container
from fleet.facts.haproxy import INTERFACE_LOOK
from fleet.facts.nvidia import LOOK as NVIDIA_LOOK
from fleet.facts.nvidia import Nvidia
from fleet.facts.nvidia import read as read_nvidia

_LOOK = r"""
. /etc/os-release
echo "os=$ID-$VERSION_ID"
echo "machine=$(uname -m)"
echo "python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
echo "container=$(systemd-detect-virt --container 2>/dev/null)"
echo "docker=$(dockerd --version 2>/dev/null | sed -n 's/^Docker version \([0-9.]*\).*/\1/p')"
[ -e /usr/bin/nvidia-uninstall ] && echo "run_file=yes"
[ -e /etc/stoker/host.json ] && echo "known=yes"
command -v curl >/dev/null && echo "curl=yes"
for f in /run/stoker/engines/*.json; do
  [ -e "$f" ] && f=${f##*/} && echo "engine=${f%.json}"
done
# One that is just starting or stopping has its port, and no report.
systemctl list-units --plain --no-legend --state=active,activating,deactivating \
  'stoker-engine@*' 2>/dev/null | sed -n 's/^stoker-engine@\([^ ]*\)\.service .*/engine=\1/p'
ss -Hltnp | while read -r _ _ _ local _ users; do
  pid=$(echo "$users" | sed -n 's/.*pid=\([0-9]*\).*/\1/p')
  unit=$(sed -n 's|.*/\([^/]*\.service\).*|\1|p' "/proc/$pid/cgroup" 2>/dev/null | head -n 1)
  program=$(echo "$users" | cut -d '"' -f 2)
  echo "listener=${local##*:} ${unit:--} ${program:-?}"
done
for p in $paths; do
  q=$p; while [ ! -e "$q" ]; do q=$(dirname "$q"); done
  echo "free=$(df -PB1 "$q" | awk 'NR == 2 { print $4 }') $p"
done
for p in $weights; do [ -e "$p/.stoker-manifest.json" ] && echo "weights=$p"; done
"""


class Listener(Struct, frozen=True):
    """A program that listens on a TCP port; `unit` is `-` outside of any service."""

    port: int
    unit: str
    program: str


class Reported(Struct, frozen=True):
    """A GPU as the driver reports it; memory in MiB, capability "9.0" (empty: not told)."""

    name: str
    memory: int
    capability: str = ""


class Bare(Struct, frozen=True, kw_only=True):
    """A host as it is found. `free` maps a path to the bytes free where it lies or would lie.

    `containers` are those that are not ours (by a look of its own); None: Docker did not answer.
    `cards` is what a driver says of the GPUs, empty where none answers; `interface` is that of the
    default route, empty without one.
    """

    os: str
    machine: str
    python: str
    container: bool = False
    docker: tuple[int, ...] = ()
    dockerd: Docker = Docker()
    run_file: bool = False
    known: bool = False
    curl: bool = True
    nvidia: Nvidia = Nvidia()
    cards: tuple[Reported, ...] = ()
    engines: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()
    free: dict[str, int] = {}
    weights: tuple[str, ...] = ()
    containers: tuple[Container, ...] | None = ()
    doors: Doors = Doors()
    interface: str = ""


class BareHost(FactBase[Bare | None]):
    """Looks at a host; `paths` are measured for free disk, `weights` looked through for weights."""

    @override
    @staticmethod
    def default() -> Bare | None:
        return None

    @override
    def command(self, paths: list[str], weights: list[str]) -> StringCommand:
        return StringCommand(
            "paths=", QuoteString(" ".join(paths)), "; weights=", QuoteString(" ".join(weights)),
            ";", _LOOK, INTERFACE_LOOK, "\n", NVIDIA_LOOK, DOCKER_LOOK, DOORS_LOOK, "true",
            _separator="",
        )  # fmt: skip

    @override
    def process(self, output: list[str]) -> Bare:
        found: dict[str, list[str]] = {}
        for line in output:
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
        listeners = (value.split(" ", 2) for value in found.get("listener", []))
        free = (value.split(" ", 1) for value in found.get("free", []))
        cards = (value.split(", ") for value in found.get("card", []))
        return Bare(
            os=found["os"][0],
            machine=found["machine"][0],
            python=found["python"][0],
            container=found["container"][0] not in {"", "none"},
            docker=tuple(int(number) for number in re.findall(r"\d+", found["docker"][0])),
            dockerd=read_docker(found),
            run_file="run_file" in found,
            known="known" in found,
            curl="curl" in found,
            nvidia=read_nvidia(found),
            cards=tuple(Reported(n, int(m), *more) for n, m, *more in cards if m.isdigit()),
            engines=tuple(dict.fromkeys(found.get("engine", []))),
            listeners=tuple(Listener(int(p), unit, program) for p, unit, program in listeners),
            free={path: int(size) for size, path in free},
            weights=tuple(found.get("weights", [])),
            doors=read_doors(found),
            interface=found.get("interface", [""])[0],
        )
