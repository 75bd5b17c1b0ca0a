"""Packages: held, of one version, from one source, and left alone by unattended upgrades."""

import re
from collections.abc import Iterator, Sequence

import msgspec

from agent.doctor.finding import Finding, fault, warning
from agent.doctor.seen import Seen
from agent.drift.manifest import Package
from agent.errors import SourceError
from agent.spec import HostSpec

FORM = "${Package}|${db:Status-Want}|${db:Status-Status}|${Version}\n"
# What must be of one version with the kernel module; container toolkit and pinning are not.
CORE = re.compile(
    r"(nvidia-driver-(cuda|bin|libs)|nvidia-(kernel|dkms)(-[a-z0-9-]+)?|nvidia-persistenced|"
    r"libnvidia-(compute|ml1|cfg1|nvvm4)(-\d+)?(-server)?|nvidia-utils(-\d+)?(-server)?|libcuda1|"
    r"nvidia-fabricmanager(-\d+)?)"
)
UPSTREAM = re.compile(r"(?:\d+:)?(\d{3}\.\d+(?:\.\d+)?)")
PINNING = "nvidia-driver-pinning-"
SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*")
OURS = "/etc/apt/sources.list.d/stoker-"
_URI = re.compile(r"^URIs:\s*https?://(\S+?)/?$", re.MULTILINE)
DOCKERS = frozenset({"docker-ce", "docker.io", "podman-docker"})


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """What is installed, and what the last deploy wants of it (None: no deploy came to its end)."""

    packages: dict[str, Package]
    wanted: dict[str, Package] | None = None


class Holds:
    """Do the packages stay where they are that a deploy alone may move?"""

    name = "holds"

    def read(self, seen: Seen, _spec: HostSpec | None) -> Installed:
        """Ask dpkg for what the manifest names."""
        manifest = seen.manifest()
        wanted = manifest.packages if manifest else None
        return Installed(packages=dpkg(seen, sorted(wanted)) if wanted else {}, wanted=wanted)

    def judge(self, reading: Installed, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Compare with the manifest."""
        wanted = reading.wanted or {}
        if gone := sorted(wanted.keys() - reading.packages.keys()):
            names = ", ".join(gone)
            yield fault(f"{names}: not installed any more", "deploy this host again")
        there = {name: one for name, one in reading.packages.items() if name in wanted}
        free = sorted(name for name, one in there.items() if wanted[name].hold and not one.hold)
        if free:
            yield warning(
                f"{', '.join(free)}: not held, so the next apt upgrade may move them",
                f"apt-mark hold {' '.join(free)}",
            )
        for name, one in sorted(there.items()):
            pin = wanted[name].version
            if pin is not None and one.version != pin:
                yield fault(
                    f"{name} is {one.version}, deployed was {pin}", "deploy this host again"
                )


class DriverPackages:
    """Are the driver's packages of one version, and pinned once?"""

    name = "driver_packages"

    def read(self, seen: Seen, _spec: HostSpec | None) -> Installed:
        """Ask dpkg for all that is NVIDIA's."""
        return Installed(packages=dpkg(seen, ["nvidia-*", "libnvidia-*", "libcuda1"]))

    def judge(self, reading: Installed, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """A half-done upgrade shows at the next start of an engine only."""
        versions: dict[str, list[str]] = {}
        for name, one in sorted(reading.packages.items()):
            found = UPSTREAM.match(one.version or "")
            if CORE.fullmatch(name) and found:
                versions.setdefault(found[1], []).append(name)
        if len(versions) > 1:
            said = "; ".join(f"{v}: {', '.join(names)}" for v, names in sorted(versions.items()))
            yield fault(
                f"the driver is half upgraded ({said})",
                "apt-get -s install -f shows what would move; drained, deploy this host again",
            )
        pins = sorted(name for name in reading.packages if name.startswith(PINNING))
        if len(pins) > 1:
            yield warning(
                f"{' and '.join(pins)} are installed: only one of them counts",
                f"keep the one of driver_branch: apt-get purge {pins[0]}",
            )


class Origins(msgspec.Struct, frozen=True, kw_only=True):
    """By origin: the files that name it. `run_file`: a driver was installed from a .run file."""

    files: dict[str, tuple[str, ...]]
    dockers: tuple[str, ...] = ()
    run_file: bool = False


class PackageSources:
    """Does each package come from one source?"""

    name = "package_sources"

    def read(self, seen: Seen, _spec: HostSpec | None) -> Origins:
        """Look through apt's sources."""
        paths = [path for pattern in SOURCES for path in seen.node.paths(pattern)]
        texts = {path: _active(seen.node.text(path) or "") for path in paths if _is_source(path)}
        own = (text for path, text in texts.items() if path.startswith(OURS))
        ours = [uri for text in own for uri in _URI.findall(text)]
        return Origins(
            files={uri: tuple(path for path, text in texts.items() if uri in text) for uri in ours},
            dockers=tuple(sorted(dpkg(seen, sorted(DOCKERS)))),
            run_file=seen.node.look("/usr/bin/nvidia-uninstall") is not None,
        )

    def judge(self, reading: Origins, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Two sources of one origin may disagree about its key; apt then reads neither."""
        for origin, files in reading.files.items():
            others = [path for path in files if not path.startswith(OURS)]
            if others:
                yield warning(
                    f"{origin} is a source twice: {', '.join(files)}", f"rm {' '.join(others)}"
                )
        if reading.run_file:
            yield fault(
                "a driver was installed from a .run file, beside or under the packages",
                "drained: nvidia-uninstall, then deploy this host again",
            )
        if len(reading.dockers) > 1:
            yield warning(f"{' and '.join(reading.dockers)} are both installed", "keep docker-ce")


class Upgrades(msgspec.Struct, frozen=True, kw_only=True):
    """`patterns` of packages that unattended-upgrades leaves alone; None = it is not installed."""

    patterns: tuple[str, ...] | None = None
    held: tuple[str, ...] = ()


class UnattendedUpgrades:
    """Do unattended upgrades leave alone what a deploy alone may move?"""

    name = "unattended_upgrades"

    def read(self, seen: Seen, _spec: HostSpec | None) -> Upgrades:
        """Ask apt for the list as it counts, from all files together."""
        manifest = seen.manifest()
        held = [name for name, one in manifest.packages.items() if one.hold] if manifest else []
        if not dpkg(seen, ["unattended-upgrades"]):
            return Upgrades(held=tuple(held))
        ran = seen.node.run("apt-config", "dump", "Unattended-Upgrade::Package-Blacklist")
        if ran is None or ran.code:
            raise SourceError("apt-config does not tell what unattended-upgrades may move")
        return Upgrades(patterns=tuple(re.findall(r'"(.+)"', ran.out)), held=tuple(sorted(held)))

    def judge(self, reading: Upgrades, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Name the held packages that no pattern covers."""
        if reading.patterns is None:
            return
        bare = [name for name in reading.held if not _covered(name, reading.patterns)]
        if bare:
            yield warning(
                f"unattended-upgrades may move {', '.join(bare)}: the blacklist does not name them",
                "deploy this host again: it places /etc/apt/apt.conf.d/52stoker",
            )


def dpkg(seen: Seen, names: Sequence[str]) -> dict[str, Package]:
    """Return the installed ones among `names`, which may be patterns."""
    ran = seen.node.run("dpkg-query", "-W", "-f", FORM, *names)
    if ran is None or ran.code not in {0, 1}:  # 1: one of them is not known
        raise SourceError(f"dpkg-query does not answer: {ran.err.strip() if ran else 'missing'}")
    rows = [line.split("|") for line in ran.out.splitlines()]
    return {
        name: Package(hold=want == "hold", version=version)
        for name, want, status, version in rows
        if status == "installed"
    }


def _covered(name: str, patterns: Sequence[str]) -> bool:
    """unattended-upgrades matches from the start (python-apt's re.match)."""
    for pattern in patterns:
        try:
            if re.match(pattern, name):
                return True
        except re.error:
            continue
    return False


def _is_source(path: str) -> bool:
    return path.endswith((".list", ".sources"))


def _active(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
