"""SGLang 0.5: its words and flags, those that Stoker sets, and well-known mistakes."""

from agent.engines import flags, program
from agent.engines.program import Program

# What other programs call it → what SGLang wants.
QUANTIZE = {
    "eetq": "SGLang has no EETQ; use 'fp8', or kind 'tgi'",
    "exl2": "SGLang has no EXL2; use a GPTQ or AWQ checkpoint, or kind 'tgi'",
    "marlin": "a checkpoint that Marlin can run is found by itself; leave quantize out",
    "bitsandbytes-nf4": "SGLang has 'bitsandbytes' only; use an AWQ checkpoint",
    "bitsandbytes-fp4": "SGLang has 'bitsandbytes' only; use an AWQ checkpoint",
    "fp8_per_tensor": "that is vLLM's; SGLang has 'fp8'",
    "fp8_per_block": "that is vLLM's; SGLang has 'fp8'",
    "fp8_per_channel": "that is vLLM's; SGLang has 'fp8'",
    "gguf": "weights are mounted as a directory of safetensors; use the safetensors checkpoint",
}
KV_CACHE = {
    "fp8": "write 'fp8_e4m3'",
    "fp8_e4m3fn": "that is TGI's word; write 'fp8_e4m3'",
    "bf16": "write 'bfloat16'",
    "float16": "SGLang knows 'bfloat16' only; leave it at 'auto' for the model's own type",
}
SPECULATION = {"medusa": "SGLang has no Medusa; use 'eagle3' or 'ngram'"}
ALGORITHM = {
    "ngram": "NGRAM",
    "draft": "STANDALONE",
    "eagle": "EAGLE",
    "eagle3": "EAGLE3",
    "mtp": "NEXTN",
}

# Flag → what governs it.
OWNED = {
    "--model-path": "engine_model (weights are mounted, no Hub is asked)",
    "--revision": "engine_revision (weights are mounted at that commit)",
    "--served-model-name": "engine_served_name",
    "--host": "engine_port (published on loopback)",
    "--port": "engine_port",
    "--tp-size": "engine_gpus and engine_tensor_parallel",
    "--pp-size": "engine_pipeline_parallel",
    "--dp-size": "engine_data_parallel",
    "--base-gpu-id": "engine_gpus",
    "--gpu-id-step": "engine_gpus",
    "--context-length": "engine_max_total_tokens",
    "--max-running-requests": "engine_max_concurrent_requests and engine_max_running_requests",
    "--max-queued-requests": "engine_max_concurrent_requests",
    "--chunked-prefill-size": "engine_max_batch_prefill_tokens",
    "--dtype": "engine_dtype",
    "--quantization": "engine_quantize",
    "--kv-cache-dtype": "engine_kv_cache_dtype",
    "--mem-fraction-static": "engine_memory_fraction",
    "--disable-radix-cache": "engine_prefix_caching",
    "--speculative-algorithm": "engine_speculation",
    "--speculative-draft-model-path": "engine_speculation_model",
    "--speculative-draft-model-revision": "engine_speculation_model",
    "--speculative-num-steps": "engine_speculation_tokens",
    "--speculative-num-draft-tokens": "engine_speculation_tokens",
    "--speculative-eagle-topk": "a fixed '1' (a chain of guesses, no tree)",
    "--enable-lora": "engine_lora_adapters",
    "--lora-paths": "engine_lora_adapters",
    "--max-loras-per-batch": "engine_lora_adapters",
    "--max-lora-rank": "engine_lora_rank",
    "--trust-remote-code": "engine_trust_remote_code",
    "--uvicorn-access-log-exclude-prefixes": "a fixed '/health /metrics'",
    "--enable-metrics": "a fixed 'on'",
}

# Flag → what would be right.
WRONG = program.WRONG | {
    "--admin-api-key": program.NEVER_IN_ARGV,
    "--hf-token": program.NEVER_IN_ARGV,
    "--ssl-keyfile-password": program.NEVER_IN_ARGV,
    "--config": "a file could set what Stoker sets; write its flags into extra_args",
    "--cuda-memory-fraction": "that is TGI's; set engine_memory_fraction",
    "--gpu-memory-utilization": "that is vLLM's; set engine_memory_fraction",
    "--num-shard": "that is TGI's; set engine_gpus",
    "--max-model-len": "that is vLLM's; set engine_max_total_tokens",
    "--max-total-tokens": "SGLang means the size of its KV cache, not of a request, for which "
    "engine_max_total_tokens is; set engine_memory_fraction",
    "--max-input-tokens": "that is TGI's; SGLang bounds both by engine_max_total_tokens",
    "--max-input-length": "that is TGI's; SGLang bounds both by engine_max_total_tokens",
    "--max-concurrent-requests": "that is TGI's; set engine_max_concurrent_requests",
    "--max-num-seqs": "that is vLLM's; set engine_max_running_requests",
    "--max-num-batched-tokens": "that is vLLM's; set engine_max_batch_prefill_tokens",
    "--max-batch-prefill-tokens": "that is TGI's; set engine_max_batch_prefill_tokens",
    "--enforce-eager": "that is vLLM's; SGLang has --cuda-graph-backend-decode=disabled",
    "--quantize": "that is TGI's; set engine_quantize",
    "--speculate": "that is TGI's; set engine_speculation = 'ngram'",
    "--speculative-config": "that is vLLM's; set engine_speculation",
    "--draft-model-id": "no engine has such a flag; set engine_speculation = 'draft'",
    "--lora-adapters": "that is TGI's; set engine_lora_adapters",
    "--lora-modules": "that is vLLM's; set engine_lora_adapters",
    "--download-dir": "weights are mounted; SGLang downloads nothing",
    "--ssl-keyfile": program.TLS,
    "--ssl-certfile": program.TLS,
    "--fastapi-root-path": "the gateway expects the API at /",
    "--grpc-mode": "the gateway and Stoker speak HTTP",
    "--smg-grpc-mode": "the gateway and Stoker speak HTTP",
    "--nnodes": program.ONE_HOST,
    "--node-rank": program.ONE_HOST,
    "--dist-init-addr": program.ONE_HOST,
}
VARIABLES = program.VARIABLES | {
    "SGLANG_RUST_SERVER": "its endpoints and its way to stop are not those that Stoker knows",
}

PROGRAM = Program(
    title="SGLang 0.5.23",
    flags=flags.table("sglang"),
    owned=OWNED,
    wrong=WRONG,
    variables=VARIABLES,
)
# `bitsandbytes` needs its own loader; otherwise --load-format is the operator's.
BITSANDBYTES = PROGRAM._replace(owned=OWNED | {"--load-format": "engine_quantize"})
