"""vLLM 0.33: its words and flags, those that Stoker sets, and well-known mistakes."""

from agent.engines import flags, program
from agent.engines.program import Program

_PLUGIN = "needs a plugin that vLLM's image lacks"
# What other programs call it → what vLLM wants.
QUANTIZE = {
    "eetq": "vLLM has no EETQ; use 'fp8_per_tensor', or kind 'tgi'",
    "exl2": "vLLM has no EXL2; use a GPTQ or AWQ checkpoint, or kind 'tgi'",
    "marlin": "a checkpoint that Marlin can run is found by itself; leave quantize out",
    "bitsandbytes": f"{_PLUGIN}; use 'fp8_per_tensor'",
    "bitsandbytes-nf4": f"{_PLUGIN}; use an AWQ checkpoint",
    "bitsandbytes-fp4": f"{_PLUGIN}; use an AWQ checkpoint",
    "gguf": f"{_PLUGIN}; use the safetensors checkpoint",
}
KV_CACHE = {
    "fp8_e4m3fn": "that is TGI's word; write 'fp8_e4m3'",
    "bf16": "that is SGLang's word; write 'bfloat16'",
}
SPECULATION = {"medusa": "vLLM has dropped Medusa in 0.33; use 'eagle3' or 'ngram'"}

# Flag → what governs it.
OWNED = {
    "--model": "engine_model (weights are mounted, no Hub is asked)",
    "--revision": "engine_revision (weights are mounted at that commit)",
    "--code-revision": "engine_revision (weights are mounted at that commit)",
    "--tokenizer-revision": "engine_revision (weights are mounted at that commit)",
    "--served-model-name": "engine_served_name",
    "--host": "engine_port (published on loopback)",
    "--port": "engine_port",
    "--uds": "engine_port",
    "--tensor-parallel-size": "engine_gpus and engine_tensor_parallel",
    "--pipeline-parallel-size": "engine_pipeline_parallel",
    "--data-parallel-size": "engine_data_parallel",
    "--device-ids": "engine_gpus",
    "--max-model-len": "engine_max_total_tokens",
    "--max-num-queued-reqs": "engine_max_concurrent_requests",
    "--max-num-seqs": "engine_max_running_requests",
    "--max-num-batched-tokens": "engine_max_batch_prefill_tokens",
    "--shutdown-timeout": "engine_drain_deadline",
    "--dtype": "engine_dtype",
    "--quantization": "engine_quantize",
    "--kv-cache-dtype": "engine_kv_cache_dtype",
    "--gpu-memory-utilization": "engine_memory_fraction",
    "--enable-prefix-caching": "engine_prefix_caching",
    "--speculative-config": "engine_speculation",
    "--spec-method": "engine_speculation",
    "--spec-model": "engine_speculation_model",
    "--spec-tokens": "engine_speculation_tokens",
    "--enable-lora": "engine_lora_adapters",
    "--lora-modules": "engine_lora_adapters",
    "--max-loras": "engine_lora_adapters",
    "--max-lora-rank": "engine_lora_rank",
    "--trust-remote-code": "engine_trust_remote_code",
    "--enable-server-load-tracking": "a fixed 'on'",
    "--disable-access-log-for-endpoints": "a fixed '/health,/metrics'",
}

# Flag → what would be right.
WRONG = program.WRONG | {
    "--hf-token": program.NEVER_IN_ARGV,
    "--config": "a file could set what Stoker sets; write its flags into extra_args",
    "-O": "write --optimization-level",
    "--cuda-memory-fraction": "that is TGI's; set engine_memory_fraction",
    "--mem-fraction-static": "that is SGLang's; set engine_memory_fraction",
    "--num-shard": "that is TGI's; set engine_gpus",
    "--tp-size": "that is SGLang's; set engine_gpus",
    "--max-total-tokens": "that is TGI's; set engine_max_total_tokens",
    "--context-length": "that is SGLang's; set engine_max_total_tokens",
    "--max-input-tokens": "that is TGI's; vLLM bounds input and output by engine_max_total_tokens",
    "--max-input-length": "that is TGI's; vLLM bounds input and output by engine_max_total_tokens",
    "--max-concurrent-requests": "that is TGI's; set engine_max_concurrent_requests",
    "--max-batch-prefill-tokens": "that is TGI's; set engine_max_batch_prefill_tokens",
    "--quantize": "that is TGI's; set engine_quantize",
    "--speculate": "that is TGI's; set engine_speculation = 'ngram'",
    "--speculative-model": "vLLM has it no more; set engine_speculation_model",
    "--num-speculative-tokens": "vLLM has it no more; set engine_speculation_tokens",
    "--draft-model-id": "no engine has such a flag; set engine_speculation = 'draft'",
    "--lora-adapters": "that is TGI's; set engine_lora_adapters",
    "--disable-log-stats": "it empties the metrics by which Stoker sees load and progress",
    "--download-dir": "weights are mounted; vLLM downloads nothing",
    "--ssl-keyfile": program.TLS,
    "--ssl-certfile": program.TLS,
    "--root-path": "the gateway expects the API at /",
    "--grpc": "the gateway and Stoker speak HTTP",
    "--headless": program.ONE_HOST,
    "--nnodes": program.ONE_HOST,
    "--node-rank": program.ONE_HOST,
    "--data-parallel-rank": program.ONE_HOST,
    "--data-parallel-start-rank": program.ONE_HOST,
    "--data-parallel-size-local": program.ONE_HOST,
    "--data-parallel-address": program.ONE_HOST,
    "--enable-fault-tolerance": "Stoker restarts the engine",
}
VARIABLES = program.VARIABLES | {
    "VLLM_PORT": "is a port between vLLM's own processes; clients come by engine_port",
    "VLLM_USE_RUST_FRONTEND": "its endpoints and its way to stop are not those that Stoker knows",
}

PROGRAM = Program(
    title="vLLM 0.33",
    flags=flags.table("vllm"),
    owned=OWNED,
    wrong=WRONG,
    variables=VARIABLES,
    loose=True,
)
