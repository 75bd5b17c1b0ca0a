"""The state file's writer: which keys it takes, and what it leaves for the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox.nvml import keys
from tests.sandbox.nvml.build import build
from tests.sandbox.nvml.pci import write_pci
from tests.sandbox.nvml.state import gpu_uuid, write_state


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("temprature", "temperature"),
        ("remaped.pending", "remapped.pending"),
        ("memory.totl", "memory.total"),
    ],
)
def test_misspelt_key_is_refused_with_the_nearest(tmp_path: Path, key: str, meant: str) -> None:
    state = write_state(tmp_path / "nvml.state")
    before = state.read()
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        state.set(0, key, 1)
    assert state.read() == before


@pytest.mark.parametrize("key", ["driver_version", "gpu.0.lost", "gpu.*.uuid", "gpu.1.margin"])
def test_known_keys(key: str) -> None:
    assert keys.checked(key) == key


@pytest.mark.parametrize("name", ["nvmlInit", "nvmlInit_v2", "nvmlInitWithFlags"])
def test_fault_of_one_version_of_a_call_is_of_all(name: str) -> None:
    assert keys.checked(f"gpu.0.hang.{name}") == "gpu.0.hang.nvmlInit"


@pytest.mark.parametrize("key", ["temperature", "gpu.0.gpus", "gpu.0.return.getName", "hang"])
def test_key_at_the_wrong_level(key: str) -> None:
    with pytest.raises(ValueError, match="knows no key"):
        keys.checked(key)


def test_new_state_undoes_the_old(tmp_path: Path) -> None:
    path = tmp_path / "sim" / "nvml.state"
    write_state(path, 2, "gpu-1").lose(0)
    state = write_state(path, 1, "gpu-1", driver_version="595.91.07").read()
    assert state == {
        "gpus": "1",
        "gpu.0.uuid": gpu_uuid("gpu-1", 0),
        "gpu.0.pci": "00000000:06:00.0",
        "driver_version": "595.91.07",
    }


def test_uuids_differ_by_host_and_gpu_only() -> None:
    uuids = {gpu_uuid(host, index) for host in ("gpu-1", "gpu-2") for index in (0, 1)}
    assert len(uuids) == 4
    assert gpu_uuid("gpu-1", 0) in uuids


def test_clear_keeps_identity_and_past_events(tmp_path: Path) -> None:
    state = write_state(tmp_path / "nvml.state", driver_version="595.91.07")
    before = state.read()
    state.lose(0)
    state.hang("nvmlInit_v2")
    state.xid(1, 79)
    state.clear()
    assert state.read() == before
    assert (tmp_path / "nvml.events").read_text() == "1 gpu=1 type=0x8 data=79\n"


def test_change_replaces_the_file_whole(tmp_path: Path) -> None:
    state = write_state(tmp_path / "nvml.state")
    inode = state.path.stat().st_ino
    state.set(0, "temperature", 90)
    assert state.path.stat().st_ino != inode
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "nvml.clients",
        "nvml.events",
        "nvml.lock",
        "nvml.state",
    ]


def test_pci_tree(tmp_path: Path) -> None:
    write_pci(tmp_path / "pci", 2, absent={0}, link_width=8)
    (device,) = (tmp_path / "pci").iterdir()
    assert device.name == "0000:07:00.0"
    texts = {path.name: path.read_text() for path in device.iterdir()}
    assert texts["vendor"] == "0x10de\n"
    assert texts["class"] == "0x030200\n"
    assert (texts["current_link_width"], texts["max_link_width"]) == ("8\n", "16\n")


def test_build_compiles_once(tmp_path: Path) -> None:
    library = build(tmp_path)
    made = library.stat().st_mtime_ns
    assert build(tmp_path).stat().st_mtime_ns == made
    (tmp_path / "libnvidia-ml.so.1.sha256").write_text("of other sources")
    assert build(tmp_path).stat().st_mtime_ns != made
