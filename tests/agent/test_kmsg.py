"""The kernel log is read as it is written: nothing is told twice, and what is lost is counted."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.sources.kmsg import BATCH, FIRST_PAUSE, KernelLog
from agent.sources.kmsg_notes import NoteKind
from agent.xid.fault import KernelFault, Kind

DEVICE = Path("/dev/kmsg")
GPU = "00000000:3b:00"
X = "NVRM: Xid (PCI:0000:3b:00): "
HARMLESS = "br-675d732268ae: port 4(veth57fef97) entered forwarding state"


def line(seq: int, text: str, at: float = 1.0, priority: int = 4) -> bytes:
    return f"{priority},{seq},{at * 1e6:.0f},-;{text}\n".encode()


class Told:
    """Collects what the source tells."""

    def __init__(self) -> None:
        self.faults: list[KernelFault] = []
        self.calls = 0

    def __call__(self, faults: Sequence[KernelFault]) -> None:
        assert faults, "told of nothing"
        self.calls += 1
        self.faults += faults

    @property
    def xids(self) -> list[int]:
        return [fault.xid for fault in self.faults]


async def until(true: Callable[[], object], deadline: float = 5.0) -> None:
    async with asyncio.timeout(deadline):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "kmsg"
    os.mkfifo(path)
    return path


@contextlib.contextmanager
def reading(source: KernelLog) -> Iterator[KernelLog]:
    source.start()
    try:
        yield source
    finally:
        source.close()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Callable[[bytes], int]]:
    """Open the writing end, once there is a reader."""
    file = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        yield lambda data: os.write(file, data)
    finally:
        os.close(file)


async def test_a_fault_is_told_as_soon_as_it_is_written(told: Told, fifo: Path) -> None:
    with reading(KernelLog("boot-1", told, fifo)) as source, writing(fifo) as write:
        write(line(7, HARMLESS) + line(8, f"{X}79, pid=12, name=python3, GPU has fallen off"))
        await until(lambda: told.faults)
        (fault,) = told.faults
        assert (fault.gpu, fault.xid, fault.pid) == (GPU, 79, 12)
        assert (fault.seq, fault.boot) == (8, "boot-1")
        assert (await source.read()).read == 8


async def test_lines_may_come_in_any_pieces(told: Told, fifo: Path) -> None:
    whole = b"".join(line(n, f"{X}{n}, pid=1") for n in (31, 43, 79))
    with reading(KernelLog("b", told, fifo)) as source, writing(fifo) as write:
        for cut in range(0, len(whole), 17):
            write(whole[cut : cut + 17])
            await asyncio.sleep(0)
        await until(lambda: len(told.faults) == 3)
        assert told.xids == [31, 43, 79]
        assert (await source.read()).read == 79


async def test_a_last_line_without_an_end_counts(told: Told, fifo: Path) -> None:
    with reading(KernelLog("b", told, fifo)):
        with writing(fifo) as write:
            write(line(1, f"{X}79, x").rstrip())
        await until(lambda: told.faults)
        assert told.xids == [79]


async def test_a_message_of_three_lines_is_one_fault(told: Told, fifo: Path) -> None:
    with reading(KernelLog("b", told, fifo)), writing(fifo) as write:
        write(line(1, "NVRM: The NVIDIA GPU 0000:3b:00.0"))
        await asyncio.sleep(0.02)
        write(line(2, HARMLESS) + line(3, "what NVRM: says, by a program", priority=12))
        write(line(4, "NVRM: (PCI ID: 10de:2330) installed in this system has"))
        write(line(5, "NVRM: fallen off the bus and is not responding to commands."))
        await until(lambda: told.faults)
        await asyncio.sleep(0.02)
        assert [(f.gpu, f.xid, f.seq) for f in told.faults] == [(GPU, 79, 5)]


async def test_programs_are_believed_only_about_resets(told: Told, fifo: Path) -> None:
    with reading(KernelLog("b", told, fifo)) as source, writing(fifo) as write:
        write(line(1, f"{X}79, x", priority=12))
        write(line(2, "Kernel panic - not syncing: says who", priority=12))
        write(line(3, "stoker: gpu 00000000:3b:00 reset done", priority=12))
        await until(lambda: told.faults)
        assert [fault.kind for fault in told.faults] == [Kind.RESET]
        assert not (await source.read()).notes


async def test_what_was_known_before_a_restart_is_not_told_again(told: Told, fifo: Path) -> None:
    with reading(KernelLog("b", told, fifo, after=5)) as source, writing(fifo) as write:
        write(line(4, f"{X}31, pid=1") + line(5, f"{X}43, pid=1"))
        write(line(6, f"{X}79, x"))
        write(line(3, "Out of memory: Killed process 9 (python3) total-vm:1kB"))
        await until(lambda: told.faults)
        assert told.xids == [79]
        assert (await source.read()).read == 3


async def test_a_log_that_is_read_again_tells_nothing_twice(told: Told, fifo: Path) -> None:
    """Opened again, /dev/kmsg begins with the oldest record."""
    lines = line(1, f"{X}79, x") + line(2, "Kernel panic - not syncing: x")
    with reading(KernelLog("b", told, fifo)) as source:
        with writing(fifo) as write:
            write(lines)
        with pytest.raises(SourceError, match="has ended"):
            await until_ended(source)
        await until(lambda: can_be_written(fifo))
        with writing(fifo) as write:
            write(lines + line(3, f"{X}31, pid=1"))
            await until(lambda: len(told.faults) > 1)
            assert told.xids == [79, 31]
            assert (await source.read()).counts[NoteKind.PANIC] == 1


async def until_ended(source: KernelLog) -> None:
    async with asyncio.timeout(5.0):
        while True:
            await source.read()
            await asyncio.sleep(0.001)


def can_be_written(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Path.exists, "No such file"),
        (lambda path: path.write_text(""), "plain file"),
        (lambda path: path.symlink_to(path), "symbolic links"),
    ],
)
async def test_a_log_that_cannot_be_read_says_why(
    told: Told, tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    make(tmp_path / "kmsg")
    with (
        reading(KernelLog("b", told, tmp_path / "kmsg")) as source,
        pytest.raises(SourceError, match=why),
    ):
        await source.read()


async def test_a_log_that_comes_late_is_found(told: Told, tmp_path: Path) -> None:
    path = tmp_path / "kmsg"
    with reading(KernelLog("b", told, path)) as source:
        with pytest.raises(SourceError):
            await source.read()
        assert source._pause == 2 * FIRST_PAUSE  # before the try after next
        os.mkfifo(path)
        await until(lambda: can_be_written(path))
        assert (await source.read()).ok


async def test_nothing_is_read_before_the_start_or_after_the_close(told: Told, fifo: Path) -> None:
    source = KernelLog("b", told, fifo)
    with pytest.raises(SourceError, match="is not being read"):
        await source.read()
    with reading(source):
        await source.read()
    assert not can_be_written(fifo)  # the file is closed
    source.close()
    with pytest.raises(SourceError, match="not being read any more"):
        await source.read()


async def test_lost_records_are_counted_and_the_reading_goes_on(told: Told, fifo: Path) -> None:
    errors = iter([BrokenPipeError(), BrokenPipeError()])

    def pull(file: int, size: int) -> bytes:
        for error in errors:
            raise error
        return os.read(file, size)

    with (
        reading(KernelLog("b", told, fifo, 1000.0, lambda: 2000.0, pull=pull)) as source,
        writing(fifo) as write,
    ):
        before = await source.read()
        write(line(9, f"{X}79, x"))
        await until(lambda: told.faults)
        after = await source.read()
    assert (before.gaps, before.lost_at, before.read) == (0, None, -1)
    assert (after.gaps, after.lost_at, after.read) == (2, 2000.0, 9)
    assert told.faults[0].at == 1001.0  # the oldest there is, and so not taken for a live one


async def test_a_read_that_fails_opens_the_log_again(told: Told, fifo: Path) -> None:
    errors = iter([OSError(5, "Input/output error")])

    def pull(file: int, size: int) -> bytes:
        for error in errors:
            raise error
        return os.read(file, size)

    with reading(KernelLog("b", told, fifo, pull=pull)) as source, writing(fifo) as write:
        write(line(1, HARMLESS))
        with pytest.raises(SourceError, match="Input/output error"):
            await until_ended(source)
        await until(lambda: can_be_written(fifo))
        write(line(2, f"{X}79, x"))
        await until(lambda: told.faults)


async def test_a_fault_is_found_in_a_storm_and_the_loop_gets_its_turns(
    told: Told, fifo: Path
) -> None:
    """16 of the device's buffers; whoever reads them in one go, starves the HTTP server."""
    chunk = b"".join(line(n, HARMLESS) for n in range(100))
    sent = turns = 0

    def pull(file: int, size: int) -> bytes:
        nonlocal sent
        sent += 1
        if sent > 400:
            raise BlockingIOError
        return line(40_000, f"{X}79, x") if sent == 300 else chunk

    async def other() -> None:
        nonlocal turns
        while sent <= 400:
            turns += 1
            await asyncio.sleep(0)

    with reading(KernelLog("b", told, fifo, pull=pull)) as source, writing(fifo) as write:
        write(b"\n")  # it stays there: the file is readable for ever
        await other()
        await until(lambda: told.faults)
        assert (await source.read()).ok
    assert turns >= 400 * 100 / (BATCH + 100)
    assert told.xids == [79]


async def test_a_batch_that_is_all_there_is_leaves_nothing_behind(told: Told, fifo: Path) -> None:
    with reading(KernelLog("b", told, fifo)) as source, writing(fifo) as write:
        write(b"".join(line(n, "x") for n in range(BATCH)))
        await until(lambda: source._sieve.read == BATCH - 1)
        await asyncio.sleep(0.02)
        assert (await source.read()).ok


async def test_a_line_without_an_end_is_not_kept_for_ever(told: Told, fifo: Path) -> None:
    sent = 0

    def pull(file: int, size: int) -> bytes:
        nonlocal sent
        sent += 1
        if sent > 2000:
            os.read(file, size)
            raise BlockingIOError
        return b"\n" + line(1, f"{X}79, x") if sent == 2000 else b"x" * size

    source = KernelLog("b", told, fifo, pull=pull)
    with reading(source), writing(fifo) as write:
        write(b"\n")
        await until(lambda: sent > 1000)
        assert len(source._sieve._tail) < 10_000
        await until(lambda: told.faults)


async def test_a_record_is_dated_by_its_own_stamp(told: Told, fifo: Path) -> None:
    """What was written before we came: boot + stamp, never in the future."""

    def pull(file: int, size: int) -> bytes:
        return os.read(file, size)

    with os.fdopen(os.open(fifo, os.O_RDWR | os.O_NONBLOCK), "wb", 0) as writer:
        writer.write(line(1, f"{X}31, pid=1", at=5.25) + line(2, f"{X}79, x", at=900.0))
        with reading(KernelLog("b", told, fifo, 1000.0, lambda: 1500.0, pull=pull)):
            await until(lambda: len(told.faults) == 2)
    assert [fault.at for fault in told.faults] == [1005.25, 1500.0]


async def test_a_live_record_corrects_the_clock(told: Told, fifo: Path) -> None:
    """The kernel's stamps wander from the wall clock; the driver's events are dated by the wall."""
    with reading(KernelLog("b", told, fifo, 1000.0, lambda: 1500.0)), writing(fifo) as write:
        write(line(1, f"{X}31, pid=1", at=440.0))  # would be 60 s ago
        await until(lambda: told.faults)
        write(line(2, f"{X}43, pid=1", at=439.0) + line(3, f"{X}79, x", at=441.0))
        await until(lambda: len(told.faults) == 3)
    assert [fault.at for fault in told.faults] == [1500.0, 1500.0, 1500.0]


async def test_only_the_first_record_of_a_look_is_live(told: Told, fifo: Path) -> None:
    chunks = [line(1, f"{X}31, pid=1", at=440.0), line(2, f"{X}79, x", at=430.0)]

    def pull(file: int, size: int) -> bytes:
        if chunks:
            return chunks.pop(0)
        return os.read(file, size)

    with (
        reading(KernelLog("b", told, fifo, 1000.0, lambda: 1500.0, pull=pull)),
        writing(fifo) as write,
    ):
        write(b"\n")
        await until(lambda: len(told.faults) == 2)
    assert [fault.at for fault in told.faults] == [1500.0, 1490.0]


async def test_notes_are_kept_for_the_poll(told: Told, fifo: Path) -> None:
    oom = "Memory cgroup out of memory: Killed process 4242 (VLLM::EngineCor) total-vm:1kB, anon"
    with reading(KernelLog("b", told, fifo)) as source, writing(fifo) as write:
        write(line(1, HARMLESS) + line(2, oom))
        await until(lambda: source._sieve.read == 2)
        shown = await source.read()
    (note,) = shown.notes
    assert (note.kind, note.pid, note.process) == (
        NoteKind.CGROUP_OOM_KILL,
        4242,
        "VLLM::EngineCor",
    )
    assert (shown.counts[NoteKind.CGROUP_OOM_KILL], shown.counts[NoteKind.PANIC]) == (1, 0)
    assert not told.faults


device = pytest.mark.skipif(
    not (os.access(DEVICE, os.R_OK | os.W_OK) and os.geteuid() == 0),
    reason="takes root and a /dev/kmsg",
)


def setting(name: str) -> str:
    path = Path("/proc/sys/kernel", name)
    return path.read_text().strip() if path.is_file() else ""


def say(text: str) -> None:
    with DEVICE.open("wb", buffering=0) as file:  # each opening may write 10 lines in 5 s
        file.write(f"<14>{text}\n".encode())  # without its end, the kernel holds a line back


def flood(lines: int) -> None:
    with DEVICE.open("wb", buffering=0) as file:
        for _ in range(lines):
            file.write(b"<15>stoker-test: " + b"x" * 900 + b"\n")


@pytest.fixture
def mark() -> str:
    """What tells this run's lines from those of former runs, which the log still holds."""
    return f"stoker-test-{time.time_ns()}"


@device
async def test_the_real_device_is_read_from_boot_on_and_live(told: Told, mark: str) -> None:
    def ours() -> list[KernelFault]:
        return [fault for fault in told.faults if mark in fault.text]

    say(f"{X}31, pid=1, name={mark}, written before")
    with reading(KernelLog("b", told, injected=True)) as source:
        await until(ours)
        say(f"{X}43, pid=1, name={mark}, written\x07 live")
        now = time.time()
        await until(lambda: len(ours()) == 2)
        shown = await source.read()
    before, live = ours()
    assert (before.xid, live.xid, live.text[-4:]) == (31, 43, "live")
    assert before.seq is not None
    assert live.seq is not None
    assert before.seq < live.seq <= shown.read
    assert abs(before.at - now) < 1.0
    assert abs(live.at - now) < 0.5
    assert shown.ok


@device
async def test_the_real_device_is_believed_only_when_told_to(told: Told, mark: str) -> None:
    def resets() -> list[KernelFault]:
        return [fault for fault in told.faults if fault.kind is Kind.RESET]

    say(f"{X}79, {mark}")
    with reading(KernelLog("b", told)) as source:
        await until(lambda: source._sieve.read >= 0)
        await asyncio.sleep(0.02)
        known = len(resets())
        say("stoker: gpu 0000:3b:00 reset done")
        await until(lambda: len(resets()) > known)
    assert not [fault for fault in told.faults if mark in fault.text]


@device
@pytest.mark.skipif(
    setting("dmesg_restrict") != "1",
    reason="everybody may read the log here (kernel.dmesg_restrict)",
)
async def test_whoever_may_not_read_the_log_learns_what_it_takes(told: Told) -> None:
    source = KernelLog("b", told)
    os.seteuid(65534)  # the capabilities go, and come back with the next line
    try:
        source.start()
    finally:
        os.seteuid(0)
    with pytest.raises(
        SourceError, match=r"/dev/kmsg cannot be read: .* not permitted \(it takes CAP"
    ):
        await source.read()
    source.close()


@device
@pytest.mark.skipif(
    setting("printk_devkmsg") != "on",
    reason="programs may not write freely to the log (kernel.printk_devkmsg)",
)
async def test_a_storm_on_the_real_device_loses_records_and_says_so(told: Told, mark: str) -> None:
    with reading(KernelLog("b", told, injected=True)) as source:
        await until(lambda: source._sieve.read >= 0)
        flood(20_000)  # the loop does not get its turn here
        say(f"{X}79, {mark}")
        await until(lambda: mark in told.faults[-1].text if told.faults else False)
        shown = await source.read()
    assert shown.gaps >= 1
    assert shown.lost_at is not None
