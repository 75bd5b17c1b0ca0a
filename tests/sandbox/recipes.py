"""What each image of the sandbox is made of; an image's tag is the digest of its recipe. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SCRIPTS = Path(__file__).parent / "rootfs"
REPOSITORY = "stoker-sandbox"

INCLUDE = "systemd,systemd-sysv,dbus,openssh-server,python3,sudo,iproute2,ca-certificates,cron,curl"
# What a deploy installs; strace is for a fault that only the kernel can make.
SEED = (
    "docker.io iptables nginx chrony gnupg polkitd python3-venv unattended-upgrades jq certbot"
    " strace"
)
SEED_BY_RELEASE = {"bookworm": SEED, "trixie": f"{SEED} docker-cli"}


@dataclass(frozen=True)
class Base:
    """A system made by debootstrap."""

    release: str
    include: str

    @property
    def reference(self) -> str:
        """Name and tag of the image."""
        return f"{REPOSITORY}/{self.release}-base:{digest(self.release, self.include)}"


@dataclass(frozen=True)
class Derived:
    """An image made by running a script in another one."""

    name: str
    parent: "Base | Derived"
    script: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """Name and tag of the image."""
        settings = [f"{key}={value}" for key, value in sorted(self.environment.items())]
        tag = digest(self.parent.reference, self.script, *settings)
        return f"{REPOSITORY}/{self.name}:{tag}"


def digest(*parts: str) -> str:
    """Twelve hex digits that differ when any part does."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def base(release: str) -> Base:
    """Give the recipe of the plain system of a Debian release."""
    return Base(release, INCLUDE)


def machine(release: str) -> Derived:
    """Give the recipe of what all machines of a Debian release have in common."""
    return Derived(f"{release}-machine", base(release), _script("machine"))


def host(release: str) -> Derived:
    """Give the recipe of the bare hosts of a Debian release."""
    seed = {"SEED": SEED_BY_RELEASE[release]}
    return Derived(f"{release}-host", machine(release), _script("host"), seed)


def depot() -> Derived:
    """Give the recipe of the depot."""
    return Derived("depot", machine("bookworm"), _script("depot"))


def _script(name: str) -> str:
    return (SCRIPTS / f"{name}.sh").read_text()
