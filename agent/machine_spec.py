"""What is desired of the machine beneath the engines: kernel, firewall, driver, containers.

Sections of `HostSpec`; see `agent.spec`.
"""

from typing import Annotated, Any

from msgspec import Meta, field

from agent.spec_types import (
    Address,
    Count,
    DriverVersion,
    Fingerprint,
    HttpUrl,
    Network,
    Section,
)


class BaseSpec(Section, frozen=True, kw_only=True):
    """What any host gets; `address`: where the others of the inventory reach it."""

    address: Address | None = None
    sysctl: dict[str, str | None] = field(default_factory=dict)
    journal_gib: Count = 4


class FirewallSpec(Section, frozen=True, kw_only=True):
    """nftables in front of everything: who may reach which port."""

    enabled: bool = True
    ssh_from: tuple[Network, ...] = ("0.0.0.0/0", "::/0")
    read_from: tuple[Network, ...] = ()
    allow: dict[str, tuple[Network, ...]] = field(default_factory=dict)


class DriverSpec(Section, frozen=True, kw_only=True):
    """NVIDIA's driver on the host; `gpu_count` and `gpu_type` are what the operator rented."""

    gpu_count: Annotated[int, Meta(ge=0, le=64)] = 1
    gpu_type: str | None = None
    branch: Annotated[
        str,
        Meta(
            pattern=r"^(lts|production|[0-9]{3})\Z",
            description="'lts', 'production', or a branch of three digits such as '595'",
        ),
    ] = "production"
    version: DriverVersion | None = None
    force_branch: bool = False
    adopt: bool = True
    reboot: bool = True
    mig: dict[str, tuple[str, ...]] = field(default_factory=dict)
    repository: HttpUrl = "https://developer.download.nvidia.com/compute/cuda/repos"
    repository_key: HttpUrl | None = None
    # 3bf863cc.pub (Ubuntu, Debian 12) and 8793F200.pub (Debian 13).
    repository_key_fingerprints: tuple[Fingerprint, ...] = (
        "EB693B3035CD5710E231E123A4B469963BF863CC",
        "02182E60104FCDC26EAE1B8597A5D4CB8793F200",
    )


class RuntimeSpec(Section, frozen=True, kw_only=True):
    """Docker and the NVIDIA container toolkit."""

    docker_repository: HttpUrl = "https://download.docker.com/linux"
    docker_key: HttpUrl | None = None
    docker_key_fingerprint: Fingerprint = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
    docker_minimum: Annotated[str, Meta(pattern=r"^\d+\.\d+\Z")] = "28.2"
    toolkit_repository: HttpUrl = "https://nvidia.github.io/libnvidia-container/stable/deb"
    toolkit_key: HttpUrl = "https://nvidia.github.io/libnvidia-container/gpgkey"
    toolkit_key_fingerprint: Fingerprint = "C95B321B61E88C1809C4F759DDCAE044F796ECB0"
    toolkit_version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+-\d+\Z")] = "1.20.1-1"
    daemon: dict[str, Any] = field(default_factory=dict)
    take_over: tuple[str, ...] = ()
    disk_floor_gib: Annotated[int, Meta(ge=0)] = 2
