"""Where an engine may write: `/tmp`, its shared memory, and one directory that outlasts it.

What engines compile (Triton, TorchInductor, CUDA graphs' kernels) takes minutes at every start
unless it is kept. The programs find their places by these variables: vLLM 0.33 `envs.py`, SGLang
0.5.23 `environ.py`, PyTorch 2.14 `torch/_inductor/runtime/cache_dir_utils.py`, Triton 3
`knobs.py`, `huggingface_hub/constants.py`. HOME serves all others (FlashInfer, CUDA, DeepGEMM).
"""

CACHE = "/cache"
ENVIRONMENT = {
    "HOME": CACHE,
    "USER": "engine",  # a user without an entry in /etc/passwd has no name: getpass.getuser()
    "HF_HOME": f"{CACHE}/huggingface",
    "TORCHINDUCTOR_CACHE_DIR": f"{CACHE}/torchinductor",
    "TRITON_CACHE_DIR": f"{CACHE}/triton",
    "XDG_CACHE_HOME": CACHE,
}
# As the images are made, root owns what they read. Without capabilities it is a user like others,
# but one that the host knows: where an image can run as another, its adapter says so.
ROOT = "0:0"
