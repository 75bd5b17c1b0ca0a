"""How engines end alike: what PyTorch, NCCL, the Hub's library and the kernel say under each.

Parts for the tables of the engines, to be put together in this order: SETTINGS, NO_ACCESS,
WEIGHTS, PORT, HOST, GPU.
"""

from agent.engines.markers import Marker
from agent.reports import ExitClass

# SGLang descends from vLLM: these sentences are the same in both.
SETTINGS = (
    Marker(
        "BadFlag",
        ExitClass.CONFIG,
        r"error: (?P<what>(unrecognized arguments|argument|the following arguments)[^\n]{0,160})",
        "the engine refused its command line: {what}",
    ),
    Marker(
        "HeadsNotDivisible",
        ExitClass.CONFIG,
        r"(?P<what>Total number of attention heads \(\d+\) must be divisible by tensor parallel "
        r"size \(\d+\)|[\w ]*= ?\d+ is not divisible by [\w =.]+\d|\d+ is not divisible by \d+)",
        "the model cannot be split over engine_gpus: {what}",
    ),
    Marker(
        "UnsupportedModel",
        ExitClass.CONFIG,
        r"Model architectures (?P<what>\[[^\]\n]{1,120}\]) (are not supported|failed to be inspec)",
        "the engine does not support this kind of model: {what}",
    ),
    Marker(
        "UnsupportedQuantization",
        ExitClass.CONFIG,
        r"Unknown quantization method|Cannot find the config file for \w+|"
        r"quantization method \S+ is not supported|Quantization method specified in the model",
        "engine_quantize does not go with this model or this GPU; a quantized checkpoint needs "
        "none",
    ),
    Marker(
        "UnsupportedDtype",
        ExitClass.CONFIG,
        r"(?P<what>\w+ is only supported on GPUs with compute capability of at least [\d.]+\d)",
        "engine_dtype does not go with this GPU: {what}; try 'float16'",
    ),
    Marker(
        "LoraUnusable",
        ExitClass.CONFIG,
        r"(?P<what>No adapter found for \S{1,120}|LoRA rank \d+ is greater than max_lora_rank|"
        r"Loading lora \S{1,120} failed|Failed to load LoRA adapter [^\n]{1,120})",
        "one of engine_lora_adapters cannot be used: {what}",
    ),
    Marker(
        "RemoteCode",
        ExitClass.CONFIG,
        r"contains custom code which must be executed|pass the argument `trust_remote_code=True`",
        "the model brings its own code: set engine_trust_remote_code = True if you trust it",
    ),
)
NO_ACCESS = (
    Marker(
        "HubRefused",
        ExitClass.AUTH,
        r"GatedRepoError|RepositoryNotFoundError|40[13] Client Error|(?i:cannot access gated repo)",
        "the engine asked the Hub and was refused; engines run offline from verified weights, so "
        "name no other model in extra_args",
    ),
)
WEIGHTS = (
    Marker(
        "ModelFileMissing",
        ExitClass.CONFIG,
        r"does not appear to have a file named "
        r"(?P<what>config\.json|tokenizer[\w.]*\w|(pytorch_)?model\.\w+)",
        "the model has no {what}: fetch the weights again (stoker-weights), or it is none that "
        "this engine can serve",
    ),
    Marker(
        "TokenizerMissing",
        ExitClass.CONFIG,
        r"Can't load tokenizer for|"
        r"Tokenizer class \S+ does not exist or is not currently imported",
        "the engine could not load the model's tokenizer: fetch the weights again "
        "(stoker-weights), or the model has none that this engine knows",
    ),
    Marker(
        "ModelConfigInvalid",
        ExitClass.CONFIG,
        r"Can't load the configuration of|is not a valid JSON file|Should have a `model_type` key|"
        r"Invalid repository ID or local directory specified",
        "the model's config.json is missing or is none that the engine knows",
    ),
    Marker(
        "WeightsMissing",
        ExitClass.CONFIG,
        r"LocalEntryNotFoundError|OfflineModeIsEnabled|No local weights found|"
        r"Cannot find any model weights|is not a local folder and is not a valid model",
        "a file that the engine needs is not among the weights: fetch them again "
        "(stoker-weights), or the model has no safetensors",
    ),
    Marker(
        "WeightsCorrupt",
        ExitClass.CONFIG,
        r"SafetensorError|Error while deserializing header|incomplete metadata, file not fully",
        "a weight file is damaged: remove its directory and fetch the weights again",
    ),
    Marker(
        "WeightsReadOnly",
        ExitClass.CONFIG,
        r"Read-only file system: '/model",
        "the engine wanted to write among its weights, which are mounted read-only: use a model "
        "with safetensors",
    ),
)
PORT = (
    Marker(
        "PortTaken",
        ExitClass.PORT,
        r"(?i:address already in use)|EADDRINUSE|failed to build Prometheus recorder",
        "a port that the engine needs is taken",
    ),
)
HOST = (
    Marker(
        "SharedMemoryTooSmall",
        ExitClass.CONFIG,
        r"shared memory segment /dev/shm/|failed to extend /dev/shm/|"
        r"unable to (open|allocate|resize) shared memory object|out of shared memory|"
        r"No space left on device: '?/dev/shm",
        "the engine's shared memory is too small: raise engine_shm_gib",
    ),
    Marker(
        "DiskFull",
        ExitClass.CONFIG,
        r"No space left on device",
        "the disk of Docker's data directory is full",
    ),
    Marker(
        "HostMemory",
        ExitClass.CRASH,
        r"Cannot allocate memory|can't allocate memory|std::bad_alloc|\bMemoryError\b",
        "the engine got no more host memory: raise engine_memory_gib, or the host has too little",
    ),
)
GPU = (
    Marker(
        "GpuOutOfMemory",
        ExitClass.MEMORY,
        r"CUDA out of memory|torch\.(cuda\.)?OutOfMemoryError|CUDA error: out of memory|"
        r"Cuda failure \d* ?'out of memory'",
        "out of GPU memory: lower max_total_tokens or max_batch_prefill_tokens, quantize, or give "
        "the engine more gpus",
    ),
    Marker(
        "GpuMemoryFault",
        ExitClass.GPU,
        r"(?i:uncorrectable ECC)",
        "the GPU reported an uncorrectable memory error: look at its Xid before it serves again",
    ),
    Marker(
        "DriverTooOld",
        ExitClass.CONFIG,
        r"NVIDIA driver on your system is too old|CUDA driver version is insufficient|"
        r"unsupported display driver / cuda driver combination|"
        r"forward compatibility was attempted on non supported HW",
        "the driver is too old for the CUDA of this image: raise driver_branch, or use an older "
        "image",
    ),
    Marker(
        "GpuUnsupported",
        ExitClass.CONFIG,
        r"no kernel image is available for execution|SGLang only supports sm\d+ and above",
        "this image has no code for this kind of GPU: use another image",
    ),
    Marker(
        "FabricNotReady",
        ExitClass.GPU,
        r"system not yet initialized",
        "the GPUs wait for their NVSwitch fabric: look at nvidia-fabricmanager.service",
    ),
    Marker(
        "NcclTimeout",
        ExitClass.GPU,
        r"Watchdog caught collective operation timeout|NCCL operations have failed or timed out",
        "the GPUs waited for each other in vain (NCCL timeout): one of them or their link hangs",
    ),
    Marker(
        "NcclError",
        ExitClass.GPU,
        # Not ProcessGroupNCCL alone: it also warns at every ordinary exit.
        r"NCCL error|nccl(UnhandledCuda|System|Internal|Remote)Error",
        "communication between the GPUs failed (NCCL)",
    ),
    Marker(
        "NoGpu",
        ExitClass.GPU,
        r"no CUDA-capable device|No CUDA GPUs are available|Failed to infer device type|"
        r"larger than the number of available GPUs|CUDA error: invalid device ordinal",
        "the engine saw fewer GPUs than it was given: the driver or the CDI specification is "
        "out of step",
    ),
    Marker(
        "GpuAccessLost",
        ExitClass.GPU,
        r"CUDA error: unknown error|CUDA unknown error|CUDA_ERROR_UNKNOWN|"
        r"Failed to initialize NVML: Unknown Error",
        "CUDA failed with an unknown error, as it does in a container that has lost its GPUs "
        "(a daemon-reload takes them unless they came by CDI)",
    ),
    Marker(
        "CudaError",
        ExitClass.GPU,
        r"(?P<what>CUDA error: [^\n\"\\]{1,80}|CUDA driver error|CUBLAS_STATUS_\w+|"
        r"CUDNN_STATUS_\w+|DriverError\(CUDA\w*)",
        "CUDA failed: {what}",
    ),
)
