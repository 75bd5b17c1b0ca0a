"""What a host has of NVIDIA, GPUs and driver: a part of the one look at a bare host."""

import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

# In a container the kernel is the machine's that it runs on: then nothing is said of it.
LOOK = r"""
r=$(uname -r); echo "kernel=$r"
for d in /sys/bus/pci/devices/*; do
  read -r v <"$d/vendor" && read -r c <"$d/class" && read -r i <"$d/device" || continue
  on=$(readlink "$d/driver"); at="${d##*/} ${i#0x} ${on##*/}"
  case "$v $c" in
    0x10de\ 0x0300*|0x10de\ 0x0302*) echo "gpu=$at";;
    0x10de\ 0x0680*) echo "switch=$at";;
    0x15b3\ 0x0207*) grep -aq SW_MNG "$d/vpd" && echo "switch=$at";;
  esac
done 2>/dev/null
ask() { timeout -k 1 20 nvidia-smi --query-gpu="$1" --format=csv,noheader,nounits 2>/dev/null; }
cards=$(ask driver_version,name,memory.total,compute_cap) ||
  cards=$(ask driver_version,name,memory.total) &&
  echo "$cards" | sed 's/^\([^,]*\), /answers=\1\ncard=/'
echo "module=$(head -n 1 /proc/driver/nvidia/version 2>/dev/null)"
dpkg-query -W -f '${db:Status-Status}|${Package}|${Version}|${Maintainer}\n' \
  'nvidia-*' 'libnvidia-*' libcuda1 2>/dev/null | sed -n 's/^installed|/package=/p'
echo "fabric=$(nv-fabricmanager --version 2>/dev/null | head -n 1)"
for f in /etc/apt/sources.list.d/stoker-nvidia.sources /etc/apt/keyrings/stoker-nvidia.asc; do
  [ -e "$f" ] && echo "ours=yes"
done
grep -rlE '^[^#]*(developer\.download\.nvidia\.com/compute/cuda/repos|graphics-drivers/ppa)' \
  /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | sed -n '/stoker-/!s/^/source=/p'
[ -e /run/reboot-required ] && echo "reboot=yes"
case "$(systemd-detect-virt --container 2>/dev/null)" in ''|none)
  for f in /boot/vmlinuz-*; do [ -e "$f" ] && echo "kernels=${f#/boot/vmlinuz-}"; done
  if [ -e "/lib/modules/$r/build/Makefile" ]; then echo "headers=yes"
  elif ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1; then
    apt-cache show "linux-headers-$r" >/dev/null 2>&1 && echo "headers=yes" || echo "headers=no"
  fi
  s=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
  if ! [ -d /sys/firmware/efi ]; then echo "secure_boot=no"
  elif [ -r "$s" ]; then
    [ "$(od -An -tu1 -j4 -N1 "$s" | tr -d ' ')" = 1 ] && echo "secure_boot=yes" ||
      echo "secure_boot=no"
  fi
  mok=no
  for k in /var/lib/dkms/mok.pub /var/lib/shim-signed/mok/MOK.der; do
    [ -e "$k" ] && [ "$mok" != yes ] || continue
    command -v mokutil >/dev/null || { mok=; continue; }
    LC_ALL=C mokutil --test-key "$k" 2>/dev/null | grep -q 'already enrolled' && mok=yes
  done
  echo "mok=$mok";;
esac
"""
_VERSION = re.compile(r"\b\d{3}\.\d+(?:\.\d+)?\b")


class Device(Struct, frozen=True):
    """A function on the PCI bus: its address, device id ("2330"), and the module that has it."""

    address: str
    id: str
    bound: str = ""


class Package(Struct, frozen=True):
    """An installed package whose name begins like the driver's."""

    name: str
    version: str
    maintainer: str = ""


class Nvidia(Struct, frozen=True, kw_only=True):
    """What there is of NVIDIA. None = could not be told.

    `kernel` = `uname -r`, `kernels` = all that are installed. `module` = version of the loaded
    kernel module and `open` its flavour; `answers` = version that nvidia-smi tells, `fabric` that
    of Fabric Manager; empty = there is none. `ours` = a deploy wrote its source,
    `sources` = files with another one. `headers` = those of the running kernel are there, or apt
    has them. `mok` = the key that DKMS signs with is enrolled.
    """

    gpus: tuple[Device, ...] = ()
    switches: tuple[Device, ...] = ()
    kernel: str = ""
    kernels: tuple[str, ...] = ()
    module: str = ""
    open: bool | None = None
    answers: str = ""
    fabric: str = ""
    packages: tuple[Package, ...] = ()
    ours: bool = False
    sources: tuple[str, ...] = ()
    headers: bool | None = None
    secure_boot: bool | None = None
    mok: bool | None = None
    reboot_required: bool = False


def read(found: Mapping[str, list[str]]) -> Nvidia:
    """Read what `LOOK` printed, lines by their keys."""
    module = found.get("module", [""])[0]
    version = _version(module)
    return Nvidia(
        gpus=tuple(_device(line) for line in found.get("gpu", [])),
        switches=tuple(_device(line) for line in found.get("switch", [])),
        kernel=found.get("kernel", [""])[0],
        kernels=tuple(found.get("kernels", [])),
        module=version,
        open="Open Kernel Module" in module if version else None,
        answers=_version(found.get("answers", [""])[0]),
        fabric=_version(found.get("fabric", [""])[0]),
        packages=tuple(Package(*line.split("|", 2)) for line in found.get("package", [])),
        ours="ours" in found,
        sources=tuple(found.get("source", [])),
        headers=_told(found, "headers"),
        secure_boot=_told(found, "secure_boot"),
        mok=_told(found, "mok"),
        reboot_required="reboot" in found,
    )


def _device(line: str) -> Device:
    return Device(*line.split()[:3])


def _version(text: str) -> str:
    found = _VERSION.search(text)
    return found[0] if found else ""


def _told(found: Mapping[str, list[str]], key: str) -> bool | None:
    answers: dict[str, Literal[True, False]] = {"yes": True, "no": False}
    return answers.get(found.get(key, [""])[0])
