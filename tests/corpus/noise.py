"""What kernels of GPU hosts say all day long without anything being wrong with a GPU."""

from __future__ import annotations

QUIET = (
    'audit: type=1400 audit(1764000000.123:45): apparmor="STATUS" operation="profile_load"',
    "mlx5_core 0000:17:00.0 ens1f0np0: Link up",
    "mlx5_core 0000:17:00.1: Port module event: module 1, Cable unplugged",
    "mlx5_core 0000:17:00.0: device has fallen off the bus, resetting it",
    "nvme nvme0: 64/0/0 default/read/poll queues",
    "nvme nvme2: I/O 258 QID 4 timeout, completion polled",
    "EXT4-fs (nvme0n1p2): mounted filesystem with ordered data mode. Quota mode: none.",
    "IPv6: ADDRCONF(NETDEV_CHANGE): veth3a1c: link becomes ready",
    "docker0: port 1(veth3a1c) entered blocking state",
    "docker0: port 1(veth3a1c) entered forwarding state",
    "perf: interrupt took too long (2511 > 2500), lowering kernel.perf_event_max_sample_rate",
    "TCP: request_sock_TCP: Possible SYN flooding on port 8080. Sending cookies.",
    "clocksource: timekeeping watchdog on CPU12: hpet wd-wd read-back delay of 61us",
    "x86/split lock detection: #AC: vllm/8812 took a split_lock trap at address: 0x7f1",
    "overlayfs: upper fs does not support tmpfile.",
    "workqueue: drm_fb_helper_damage_work hogged CPU for >10000us 4 times",
    "usb 1-1: new high-speed USB device number 2 using xhci_hcd",
    "EDAC MC0: 1 CE memory read error on CPU_SrcID#0_MC#0_Chan#0_DIMM#0",
    "mce: [Hardware Error]: Machine check events logged",
    "hrtimer: interrupt took 10253 ns",
    "Process accounting resumed",
    "ice 0000:31:00.0: Firmware LLDP agent is disabled, Xid 0x1 in flight",
)

BOOT = (
    "Linux version 6.12.48+deb13-amd64 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC",
    "Command line: BOOT_IMAGE=/vmlinuz root=UUID=1b modprobe.blacklist=nouveau iommu=pt",
    "pci 0000:3b:00.0: [10de:2330] type 00 class 0x030200 PCIe Endpoint",
    "pci 0000:3b:00.0: BAR 0 [mem 0x9a000000-0x9affffff 64bit pref]",
    "pci 0000:3b:00.0: 63.008 Gb/s available PCIe bandwidth, limited by 8.0 GT/s PCIe x8 link",
    "nvidia: loading out-of-tree module taints kernel.",
    "nvidia: module verification failed: signature and/or required key missing",
    "nvidia-nvlink: Nvlink Core is being initialized, major device number 238",
    "nvidia 0000:3b:00.0: enabling device (0140 -> 0142)",
)

DRIVER = (
    "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  595.45.04  Release Build",
    "nvidia-modeset: Loading NVIDIA UNIX Open Kernel Mode Setting Driver for x86_64  595.45.04",
    "nvidia-uvm: Loaded the UVM driver, major device number 511.",
    "[drm] [nvidia-drm] [GPU ID 0x00003b00] Loading driver",
    "[drm] Initialized nvidia-drm 0.0.0 for 0000:3b:00.0 on minor 1",
    "nvidia-caps: registered capability device",
)

UNLOAD = (
    "[drm] [nvidia-drm] [GPU ID 0x00003b00] Unloading driver",
    "nvidia-modeset: Unloading",
    "nvidia-uvm: Unloaded the UVM driver.",
    "nvidia-nvlink: Unregistered Nvlink Core, major device number 238",
)

INFORM = (
    "NVRM: GPU at PCI:0000:3b:00: GPU-f1648d72-c7c8-9814-2832-7a062b009188",
    "NVRM: GPU Board Serial Number: 1652222014738",
    "NVRM: GPU 0000:3b:00.0: RmInitAdapter succeeded",
    "NVRM: Persistence mode is deprecated and will be removed in a future release.",
    "NVRM: API mismatch: the client has the version 590.48.01, but this kernel module has 595.45",
    "NVRM: nvAssertFailedNoLog: Assertion failed: 0 == pChannel->refCount @ kernel_channel.c:1022",
    "NVRM: nvCheckOkFailedNoLog: Check failed: Out of memory [NV_ERR_NO_MEMORY] (0x00000051)",
    "NVRM: GPU0 _threadNodeCheckTimeout: currentTime: 174 >= 173",
    "NVRM: GPU0 gpuHandleSanityCheckRegReadError_GM107: Possible bad register read: addr: 0x110",
    "NVRM: No NVIDIA GPU found.",
    "NVRM: The NVIDIA GPU driver for display adapters is loaded",
    "NVRM: Xid decoding tables loaded",
    "NVRM: objClInitPcieChipset: *** Chipset has not been recognised",
)

PCIE_ONLY = (
    "NVRM: GPU0 knvlinkCoreIsDriverSupported_IMPL: NVLink core lib isn't initialized yet!",
    "NVRM: nvlink: no links were found on this board",
    "nvidia 0000:3b:00.0: NVLink is not supported",
    "pcieport 0000:3a:00.0: bwctrl: enabled with IRQ 44",
    "nvidia 0000:3b:00.0: 2.5 GT/s PCIe x16 link while idle",
)

MIG = (
    "NVRM: GPU 0000:3b:00.0: MIG mode change is pending a reset",
    "nvidia-caps: created capability gpu0/gi1/ci0/access",
    "nvidia-caps: removed capability gpu0/gi1/ci0/access",
    "NVRM: kmigmgrSetMIGState: MIG mode enabled",
    "NVRM: kmigmgrDeleteGPUInstance: freeing GPU instance 1",
)

CORRECTED = (
    "pcieport 0000:3a:00.0: AER: Corrected error message received from 0000:3b:00.0",
    "nvidia 0000:3b:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)",
    "nvidia 0000:3b:00.0:   device [10de:2330] error status/mask=00000001/0000a000",
    "nvidia 0000:3b:00.0:    [ 0] RxErr                  (First)",
    "pcieport 0000:3a:00.0: AER: Multiple Corrected error received: 0000:3b:00.0",
)

KILLED = (
    "etl-worker invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "oom-kill:constraint=CONSTRAINT_MEMCG,task=etl-worker,pid=99120,uid=1000",
    "Memory cgroup out of memory: Killed process 99120 (etl-worker) total-vm:81920kB",
    "oom_reaper: reaped process 99120 (etl-worker), now anon-rss:0kB, file-rss:0kB",
    "INFO: task kworker/u256:3:2211 blocked for more than 120 seconds.",
    "watchdog: BUG: soft lockup - CPU#7 stuck for 22s! [backup:4410]",
    "pt_main_thread[2536443]: segfault at 7f797fe00000 ip 00007f7c7ac69996 error 4 in libc.so.6",
)

RELOAD = (
    "Reloading requested from client PID 31337 ('systemctl')...",
    "Reloading...",
    "Started stoker-agent.service - Stoker agent.",
    "docker.service: Consumed 1h 12min CPU time.",
)

# Programs talk about faults too. None of this is the driver's word.
CHATTER = (
    "NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=python3, GPU has fallen off the bus.",
    "NVRM: Xid (PCI:0000:3b:00): 48, An uncorrectable double bit error",
    "seen in dmesg: NVRM: Xid (PCI:0000:3b:00): 95, Uncontained: LTC TAG",
    "NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.",
    "nvidia-nvswitch0: SXid (PCI:0000:c3:00.0): 24007, Fatal, Link 30 sourcetrack timeout error",
    "alert rule 'NVRM: Xid' matched 0 lines",
    'answer to prompt 17: "Xid 79 means the GPU has fallen off the bus"',
    "NVRM: Xid (PCI:0000:3b:00): 154, GPU recovery action changed from 0x0 (None) to 0x1 (Reset)",
)

GARBAGE = (
    "NVRM: Xid (PCI:0000:3b:00)",
    "NVRM: Xid (PCI:0000:3b:00): ",
    "NVRM: Xid (PCI:0000:3b:00): abc, pid=1",
    "NVRM: Xid (): 79, GPU has fallen off the bus.",
    "NVRM: Xid : 79, pid=2280636",
    "NVRM: Xid error: xyz, invalid data",
    "NVRM: Xid (PCI:zzzz:3b:00): 79, x",
    "NVRM: Xid (PCI:0000:3b:00): 0, nothing",
    "NVRM: Xid (PCI:0000:3b:00): 7999999, too long",
    "NVRM: GPU 0000:3b:00.0: GPU has fal",
    "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): garbled, Fatal",
    "\ufffd\ufffd NVRM: Xid (PCI:0000:3b:00): 79, x",
    ";;;,,,;;",
    "4,5,x,-;NVRM: Xid (PCI:0000:3b:00): 79, x",
)
