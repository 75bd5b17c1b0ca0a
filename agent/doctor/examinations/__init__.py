"""All examinations. To add one: a file with a class, its test, and a line here.

What shows more of the cause stands first: findings of the same severity keep this order.
"""

from typing import Any

from agent.doctor.examination import Examination
from agent.doctor.examinations.cdi import Cdi
from agent.doctor.examinations.certificate import Certificate
from agent.doctor.examinations.clock import Clock
from agent.doctor.examinations.deployed import Deployed
from agent.doctor.examinations.disks import Disks
from agent.doctor.examinations.dockerd import Dockerd
from agent.doctor.examinations.drift import Drift
from agent.doctor.examinations.driver import DriverAnswers, DriverFlavour, DriverVersions
from agent.doctor.examinations.engines import AgentSays, Engines
from agent.doctor.examinations.fabric import Fabric
from agent.doctor.examinations.firewall import Firewall
from agent.doctor.examinations.foreign_containers import ContainerSecrets, LegacyInjection
from agent.doctor.examinations.gpu_count import GpuCount
from agent.doctor.examinations.gpus import Ecc, GpuMemory, GpuState, Persistence
from agent.doctor.examinations.kernel import Kernel
from agent.doctor.examinations.mig import Mig
from agent.doctor.examinations.packages import (
    DriverPackages,
    Holds,
    PackageSources,
    UnattendedUpgrades,
)
from agent.doctor.examinations.pcie import Pcie
from agent.doctor.examinations.ports import EnginePorts, PublishedPorts
from agent.doctor.examinations.reboot import PendingReboot
from agent.doctor.examinations.secret_files import ForeignSecrets, SecretFiles
from agent.doctor.examinations.topology import PeerToPeer, Topology
from agent.doctor.examinations.tuning import Tuning
from agent.doctor.examinations.units import Units

EXAMINATIONS: tuple[Examination[Any], ...] = (
    Deployed(),
    DriverAnswers(),
    DriverVersions(),
    DriverFlavour(),
    GpuCount(),
    GpuState(),
    GpuMemory(),
    Fabric(),
    Mig(),
    Units(),
    Dockerd(),
    Cdi(),
    Engines(),
    AgentSays(),
    EnginePorts(),
    PublishedPorts(),
    Firewall(),
    SecretFiles(),
    ForeignSecrets(),
    ContainerSecrets(),
    LegacyInjection(),
    Certificate(),
    Disks(),
    Clock(),
    Kernel(),
    Persistence(),
    Ecc(),
    Pcie(),
    Holds(),
    DriverPackages(),
    PackageSources(),
    UnattendedUpgrades(),
    PendingReboot(),
    Drift(),
    PeerToPeer(),
    Topology(),
    Tuning(),
)
