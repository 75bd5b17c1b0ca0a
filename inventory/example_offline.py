"""An example to plan before any host is rented.

    stoker plan inventory/example_offline.py --offline

Hosts with H100, A100 and H200, and public models whose config.json lie in `inventory/models/`. To
deploy it, fill in addresses, commits, image digests, TLS files (see `inventory/prod.py`), and run
`stoker models lock`.
"""

_COMMIT = "0" * 40  # the commit that you mean: a branch moves, so none is accepted
_DIGEST = "sha256:" + "0" * 64
_VLLM = {"kind": "vllm", "image": f"vllm/vllm-openai@{_DIGEST}", "revision": _COMMIT}
_SGLANG = {"kind": "sglang", "image": f"lmsysorg/sglang@{_DIGEST}", "revision": _COMMIT}
_TGI = {
    "kind": "tgi",
    "image": f"ghcr.io/huggingface/text-generation-inference@{_DIGEST}",
    "revision": _COMMIT,
}

# Two hosts serve the same: they change one at a time, and the model is never gone.
h100 = (
    ["h100-1.example.org", "h100-2.example.org"],
    {
        "driver_gpu_type": "H100-SXM",
        "driver_gpu_count": 8,
        "engines": {
            "chat": {**_VLLM, "model": "meta-llama/Llama-3.3-70B-Instruct", "gpus": 4},
            "code": {
                **_SGLANG,
                "model": "Qwen/Qwen3-30B-A3B",
                "gpus": 2,
                "port": 8081,
                "max_total_tokens": 32768,
            },
            "small": {
                **_TGI,
                "model": "mistralai/Mistral-Small-3.1-24B-Instruct-2503",
                "gpus": 2,
                "port": 8082,
            },
        },
    },
)

# One host, and half of its GPUs are free: a second copy would fit beside the first.
a100 = (
    ["a100-1.example.org"],
    {
        "driver_gpu_type": "A100-80-SXM",
        "driver_gpu_count": 4,
        "engines": {
            "main": {
                **_VLLM,
                "model": "Qwen/Qwen2.5-32B-Instruct",
                "gpus": 2,
                "max_total_tokens": 16384,
            }
        },
    },
)

# One host, all of it taken: nobody serves the model while it changes.
h200 = (
    ["h200-1.example.org"],
    {
        "driver_gpu_type": "H200",
        "driver_gpu_count": 2,
        "engines": {"main": {**_VLLM, "model": "mistralai/Mistral-Large-Instruct-2407", "gpus": 2}},
    },
)
