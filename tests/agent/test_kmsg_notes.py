"""The kernel's own words for a host in trouble, and words that only look like them."""

import pytest

from agent.sources.kmsg_notes import KEPT, LONGEST, Note, NoteKind, Notes, note, worth

SIZES = "total-vm:1234kB, anon-rss:99kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB"
NOTED: list[tuple[str, NoteKind, int | None, str]] = [
    (f"Out of memory: Killed process 77 (python3) {SIZES}", NoteKind.OOM_KILL, 77, "python3"),
    (f"Out of memory: Killed process 77 (a (b) c) {SIZES}", NoteKind.OOM_KILL, 77, "a (b) c"),
    (
        f"Out of memory (oom_kill_allocating_task): Killed process 7 (sh) {SIZES}",
        NoteKind.OOM_KILL,
        7,
        "sh",
    ),
    (
        f"Memory cgroup out of memory: Killed process 78 (VLLM::EngineCor) {SIZES}",
        NoteKind.CGROUP_OOM_KILL,
        78,
        "VLLM::EngineCor",
    ),
    (
        "INFO: task nvidia-smi:4242 blocked for more than 120 seconds.",
        NoteKind.HUNG_TASK,
        4242,
        "nvidia-smi",
    ),
    (
        "INFO: task kworker/u96:2:51 blocked for more than 241 seconds.",
        NoteKind.HUNG_TASK,
        51,
        "kworker/u96:2",
    ),
    ("EXT4-fs (nvme0n1p2): Remounting filesystem read-only", NoteKind.READ_ONLY, None, ""),
    (
        "XFS (dm-0): Log I/O Error (0x2) detected at xlog_ioend_work+0x60/0xb0 [xfs]"
        " (fs/xfs/xfs_log.c:1377).  Shutting down filesystem.",
        NoteKind.READ_ONLY,
        None,
        "",
    ),
    ("XFS (dm-0): log I/O error -5", NoteKind.IO_ERROR, None, ""),
    (
        'XFS (dm-0): metadata I/O error in "xlog_bread" at daddr 0x1 len 1 error 5',
        NoteKind.IO_ERROR,
        None,
        "",
    ),
    ("EXT4-fs (sda1): I/O error while writing superblock", NoteKind.IO_ERROR, None, ""),
    (
        "I/O error, dev nvme0n1, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2",
        NoteKind.IO_ERROR,
        None,
        "",
    ),
    ("blk_update_request: I/O error, dev sda, sector 2048", NoteKind.IO_ERROR, None, ""),
    (
        "Buffer I/O error on dev dm-0, logical block 31457159, async page read",
        NoteKind.IO_ERROR,
        None,
        "",
    ),
    (
        "watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [python3:1234]",
        NoteKind.LOCKUP,
        1234,
        "python3",
    ),
    ("watchdog: CPU3: Watchdog detected hard LOCKUP on cpu 3", NoteKind.LOCKUP, None, ""),
    ("NMI watchdog: Watchdog detected hard LOCKUP on cpu 1", NoteKind.LOCKUP, None, ""),
    ("Oops: 0002 [#1] PREEMPT SMP NOPTI", NoteKind.OOPS, None, ""),
    (
        "Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#2] SMP",
        NoteKind.OOPS,
        None,
        "",
    ),
    ("Internal error: Oops: 0000000096000006 [#1] SMP", NoteKind.OOPS, None, ""),
    ("invalid opcode: 0000 [#1] PREEMPT SMP", NoteKind.OOPS, None, ""),
    ("Kernel panic - not syncing: Fatal exception", NoteKind.PANIC, None, ""),
    (
        "mce: [Hardware Error]: CPU 3: Machine Check Exception: 5 Bank 7: be00000000800400",
        NoteKind.MACHINE_CHECK,
        None,
        "",
    ),
    (
        "[Hardware Error]: Uncorrected, software containable error.",
        NoteKind.MACHINE_CHECK,
        None,
        "",
    ),
    ("[Hardware Error]: System Fatal error.", NoteKind.MACHINE_CHECK, None, ""),
    ("{1}[Hardware Error]: event severity: recoverable", NoteKind.MACHINE_CHECK, None, ""),
    ("{2}[Hardware Error]: event severity: fatal", NoteKind.MACHINE_CHECK, None, ""),
    (
        "EDAC MC0: 1 UE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0",
        NoteKind.MACHINE_CHECK,
        None,
        "",
    ),
    (
        "Memory failure: 0x1840200: Sending SIGBUS to python3:33 due to hardware memory corruption",
        NoteKind.MACHINE_CHECK,
        33,
        "python3",
    ),
]
HARMLESS = [
    "br-675d732268ae: port 4(veth57fef97) entered forwarding state",
    "oom_reaper: reaped process 77 (python3), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    "python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "user app: Out of memory: Killed process 77 (python3) total-vm:1kB",
    "EXT4-fs (sda1): mounted filesystem 5f6d r/w with ordered data mode. Quota mode: none.",
    "EXT4-fs (sda1): re-mounted 5f6d ro. Quota mode: none.",  # by `mount -o remount,ro`
    "XFS (dm-0): Mounting V5 Filesystem",
    "Write protecting the kernel read-only data: 26624k",
    "I/O error, dev sr0, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2",
    "Buffer I/O error on dev fd0, logical block 0, async page read",
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
    "Enabled lockup detectors",
    "mce: [Hardware Error]: Machine check events logged",  # corrected ones too
    "[Hardware Error]: Corrected error, no action required.",
    "[Hardware Error]: Deferred error, no action required.",
    "{3}[Hardware Error]: event severity: corrected",
    "EDAC MC0: 1 CE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0",
    "EDAC MC: Ver: 3.0.0",
    "NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.",
]


@pytest.mark.parametrize(("text", "kind", "pid", "process"), NOTED)
def test_trouble_is_noted(text: str, kind: NoteKind, pid: int | None, process: str) -> None:
    assert worth(f"3,1,2,-;{text}\n".encode())
    assert note(text, 5.0) == Note(kind=kind, at=5.0, text=text, pid=pid, process=process)


def test_every_kind_is_in_the_table() -> None:
    assert {kind for _, kind, _, _ in NOTED} == set(NoteKind)


@pytest.mark.parametrize("text", HARMLESS)
def test_other_lines_are_not(text: str) -> None:
    assert note(text, 5.0) is None


def test_a_long_message_is_cut() -> None:
    found = note("Kernel panic - not syncing: " + "x" * 5000, 5.0)
    assert found is not None
    assert len(found.text) == LONGEST


def test_one_kind_does_not_push_out_another() -> None:
    notes = Notes()
    notes.add(Note(kind=NoteKind.OOM_KILL, at=1.0, text="oom", pid=7))
    for n in range(500):
        notes.add(Note(kind=NoteKind.IO_ERROR, at=2.0 + n, text=str(n)))
    assert [one.kind for one in notes.kept] == [NoteKind.OOM_KILL] + [NoteKind.IO_ERROR] * KEPT
    assert notes.kept[-1].text == "499"
    assert notes.counts[NoteKind.IO_ERROR] == 500
    assert notes.counts[NoteKind.LOCKUP] == 0
