"""GPUs on the bus, counted in a tree like sysfs."""

from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.sources.pci import PciSource


def device(root: Path, name: str, vendor: str, kind: str) -> None:
    (root / name).mkdir(parents=True)
    (root / name / "vendor").write_text(f"{vendor}\n")
    (root / name / "class").write_text(f"{kind}\n")


async def test_counts_nvidias_gpus_only_and_not_at_every_look(tmp_path: Path) -> None:
    device(tmp_path, "a", "0x10de", "0x030200")
    device(tmp_path, "b", "0x10de", "0x030000")
    device(tmp_path, "audio", "0x10de", "0x040300")
    device(tmp_path, "switch", "0x10de", "0x068000")
    device(tmp_path, "other", "0x1af4", "0x030000")
    (tmp_path / "going").mkdir()
    times = iter([0.0, 0.0, 4.0, 6.0, 6.0])
    source = PciSource(tmp_path, every=5.0, now=lambda: next(times))
    assert await source.read() == 2
    (tmp_path / "a" / "vendor").unlink()
    assert await source.read() == 2
    assert await source.read() == 1


async def test_a_bus_that_is_not_there_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file or directory"):
        await PciSource(tmp_path / "none").read()
