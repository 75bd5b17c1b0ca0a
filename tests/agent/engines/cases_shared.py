"""How engines end alike: exit code, a line of a log, and what they must mean.

The lines are real ones, or have the shape that their source gives them.
"""

from agent.reports import ExitClass

Case = tuple[int, str, str, ExitClass]
C = ExitClass

# vLLM and SGLang say these alike.
SETTINGS: list[Case] = [
    (2, "vllm: error: unrecognized arguments: --speculate", "BadFlag", C.CONFIG),
    (2, "launch_server.py: error: argument --dtype: invalid choice: 'x'", "BadFlag", C.CONFIG),
    (2, "error: the following arguments are required: --model-path", "BadFlag", C.CONFIG),
    (
        1,
        "ValueError: Weight output_partition_size = 96 is not divisible by weight quantization "
        "block_n = 128.",
        "HeadsNotDivisible",
        C.CONFIG,
    ),
    (
        1,
        "ValueError: Weight input_size_per_partition = 96 is not divisible by min_thread_k = 128. "
        "Consider reducing tensor_parallel_size or running with --quantization gptq.",
        "HeadsNotDivisible",
        C.CONFIG,
    ),
    (1, "AssertionError: 11008 is not divisible by 3", "HeadsNotDivisible", C.CONFIG),
    (
        1,
        "Model architectures ['BarkModel'] are not supported for now. Supported",
        "UnsupportedModel",
        C.CONFIG,
    ),
    (1, "Unknown quantization method: bitsandbytes.", "UnsupportedQuantization", C.CONFIG),
    (
        1,
        "ValueError: The quantization method fp8 is not supported for the current GPU. "
        "Minimum capability: 89. Current capability: 80.",
        "UnsupportedQuantization",
        C.CONFIG,
    ),
    (1, "ValueError: Cannot find the config file for gptq", "UnsupportedQuantization", C.CONFIG),
    (
        1,
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. "
        "Your Tesla T4 GPU has compute capability 7.5.",
        "UnsupportedDtype",
        C.CONFIG,
    ),
    (
        1,
        "ValueError: Loading lora sql failed: No adapter found for /adapters/sql",
        "LoraUnusable",
        C.CONFIG,
    ),
    (1, "ValueError: LoRA rank 64 is greater than max_lora_rank 16.", "LoraUnusable", C.CONFIG),
    (1, "The repository x contains custom code which must be executed", "RemoteCode", C.CONFIG),
]

EVERYWHERE: list[Case] = [
    (1, "OSError: You are trying to access a gated repo. GatedRepoError", "HubRefused", C.AUTH),
    (1, "HfHubHTTPError: 401 Client Error: Unauthorized for url", "HubRefused", C.AUTH),
    (
        1,
        "OSError: /model does not appear to have a file named config.json. Checkout",
        "ModelFileMissing",
        C.CONFIG,
    ),
    (
        1,
        "OSError: Can't load tokenizer for '/model'. If you were trying to load it from",
        "TokenizerMissing",
        C.CONFIG,
    ),
    (
        1,
        "ValueError: Unrecognized model in /model. Should have a `model_type` key in its",
        "ModelConfigInvalid",
        C.CONFIG,
    ),
    (
        1,
        "OSError: It looks like the config file at '/model/config.json' is not a valid JSON file.",
        "ModelConfigInvalid",
        C.CONFIG,
    ),
    (1, "RuntimeError: Cannot find any model weights with `/model`", "WeightsMissing", C.CONFIG),
    (1, "huggingface_hub.errors.OfflineModeIsEnabled: Cannot reach", "WeightsMissing", C.CONFIG),
    (1, "SafetensorError: Error while deserializing header", "WeightsCorrupt", C.CONFIG),
    (
        1,
        "OSError: [Errno 30] Read-only file system: '/model/model.safetensors'",
        "WeightsReadOnly",
        C.CONFIG,
    ),
    (1, "[Errno 98] address already in use", "PortTaken", C.PORT),
    (
        1,
        "Error while creating shared memory segment /dev/shm/nccl-LZJ5Pf (size 9637888)",
        "SharedMemoryTooSmall",
        C.CONFIG,
    ),
    (
        1,
        "RuntimeError: unable to allocate shared memory object </torch_1_2> in read-write mode",
        "SharedMemoryTooSmall",
        C.CONFIG,
    ),
    (1, "OSError: [Errno 28] No space left on device", "DiskFull", C.CONFIG),
    (1, "OSError: [Errno 12] Cannot allocate memory", "HostMemory", C.CRASH),
    (1, "DefaultCPUAllocator: can't allocate memory: you tried to", "HostMemory", C.CRASH),
    (134, "terminate called after throwing an instance of 'std::bad_alloc'", "HostMemory", C.CRASH),
    (1, "torch.OutOfMemoryError: CUDA out of memory. Tried", "GpuOutOfMemory", C.MEMORY),
    (1, "Last error: Cuda failure 2 'out of memory'", "GpuOutOfMemory", C.MEMORY),
    (0, "CUDA error: uncorrectable ECC error encountered", "GpuMemoryFault", C.GPU),
    (
        1,
        "RuntimeError: The NVIDIA driver on your system is too old (found version 12080).",
        "DriverTooOld",
        C.CONFIG,
    ),
    (
        1,
        "CUDA error: no kernel image is available for execution on the",
        "GpuUnsupported",
        C.CONFIG,
    ),
    (1, "Error 802: system not yet initialized", "FabricNotReady", C.GPU),
    (
        134,
        "[Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7, "
        "OpType=ALLREDUCE, Timeout(ms)=120000) ran for 120018 milliseconds",
        "NcclTimeout",
        C.GPU,
    ),
    (134, "[E] Some NCCL operations have failed or timed out. Due to the", "NcclTimeout", C.GPU),
    (0, "RuntimeError: NCCL error: unhandled cuda error", "NcclError", C.GPU),
    (1, "RuntimeError: No CUDA GPUs are available", "NoGpu", C.GPU),
    (1, "torch.AcceleratorError: CUDA error: invalid device ordinal", "NoGpu", C.GPU),
    (1, "torch.AcceleratorError: CUDA error: unknown error", "GpuAccessLost", C.GPU),
    (1, "Failed to initialize NVML: Unknown Error", "GpuAccessLost", C.GPU),
    (0, "torch.AcceleratorError: CUDA error: unspecified launch failure", "CudaError", C.GPU),
    (1, "RuntimeError: CUDA error: an illegal memory access was encountered", "CudaError", C.GPU),
    (1, "RuntimeError: CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when", "CudaError", C.GPU),
    (2, "", "BadFlag", C.CONFIG),
    (1, "", "Crashed", C.CRASH),
    (137, "", "Killed", C.CRASH),
    (139, "", "Crashed", C.CRASH),
    (143, "", "Terminated", C.CRASH),
]
