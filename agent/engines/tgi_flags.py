"""TGI 3.3: its words and flags, those that Stoker sets, and well-known mistakes."""

from agent.engines import flags, program
from agent.engines.program import Program

# What other programs call it → what TGI wants.
QUANTIZE = {
    "fp8_per_tensor": "that is vLLM's; TGI has 'fp8'",
    "fp8_per_block": "that is vLLM's; TGI has 'fp8'",
    "fp8_per_channel": "that is vLLM's; TGI has 'fp8'",
    "gguf": "weights are mounted as safetensors; use the safetensors checkpoint",
    "modelopt": "TGI cannot read ModelOpt checkpoints; use kind 'vllm' or 'sglang'",
    "modelopt_fp4": "TGI cannot read ModelOpt checkpoints; use kind 'vllm' or 'sglang'",
}
# Our word → the launcher's.
KV_CACHE = {"fp8_e4m3": "fp8_e4m3fn", "fp8_e5m2": "fp8_e5m2"}
KV_CACHE_HINTS = {
    "fp8": "write 'fp8_e4m3'",
    "fp8_e4m3fn": "write 'fp8_e4m3'",
    "bfloat16": "TGI keeps its KV cache in the model's own type; leave it at 'auto'",
    "float16": "TGI keeps its KV cache in the model's own type; leave it at 'auto'",
    "nvfp4": "TGI has no KV cache of 4 bits; use 'fp8_e4m3', or kind 'vllm'",
}
_NO_DRAFT = "TGI guesses without a draft model only; use 'ngram', or kind 'vllm' or 'sglang'"
SPECULATION = {
    "draft": _NO_DRAFT,
    "eagle": _NO_DRAFT,
    "eagle3": _NO_DRAFT,
    "mtp": _NO_DRAFT,
    # server/text_generation_server/models/__init__.py: model_id = base_model_name_or_path.
    "medusa": "TGI fetches the base model of Medusa heads from the Hub, and engines run offline; "
    "use 'ngram'",
}

# Flag → what governs it.
OWNED = {
    "--model-id": "engine_model (weights are mounted, no Hub is asked)",
    "--revision": "engine_revision (weights are mounted at that commit)",
    "--num-shard": "engine_gpus",
    "--sharded": "engine_gpus",
    "--hostname": "engine_port (published on loopback)",
    "--port": "engine_port",
    "--prometheus-port": "engine_port (metrics are served there too)",
    "--max-input-tokens": "engine_max_input_tokens",
    "--max-total-tokens": "engine_max_total_tokens",
    "--max-concurrent-requests": "engine_max_concurrent_requests",
    "--max-batch-prefill-tokens": "engine_max_batch_prefill_tokens",
    "--graceful-termination-timeout": "engine_drain_deadline",
    "--dtype": "engine_dtype",
    "--quantize": "engine_quantize",
    "--kv-cache-dtype": "engine_kv_cache_dtype",
    "--cuda-memory-fraction": "engine_memory_fraction",
    "--speculate": "engine_speculation and engine_speculation_tokens",
    "--lora-adapters": "engine_lora_adapters",
    "--trust-remote-code": "engine_trust_remote_code",
    "--usage-stats": "a fixed 'off'",
    "--json-output": "a fixed 'on'",
}

# Flag → what would be right.
WRONG = program.WRONG | {
    "--disable-flash-attention": "TGI has no such flag; set USE_FLASH_ATTENTION='false' in "
    "environment",
    "--draft-model-id": "TGI has no draft models; set engine_speculation = 'ngram'",
    "--gpu-memory-utilization": "that is vLLM's; set engine_memory_fraction",
    "--mem-fraction-static": "that is SGLang's; set engine_memory_fraction",
    "--max-input-length": "the old name of --max-input-tokens; set engine_max_input_tokens",
    "--tensor-parallel-size": "that is vLLM's; set engine_gpus",
    "--tp-size": "that is SGLang's; set engine_gpus",
    "--max-model-len": "that is vLLM's; set engine_max_total_tokens",
    "--context-length": "that is SGLang's; set engine_max_total_tokens",
    "--max-num-seqs": "that is vLLM's; set engine_max_concurrent_requests",
    "--max-num-batched-tokens": "that is vLLM's; set engine_max_batch_prefill_tokens",
    "--served-model-name": "that is vLLM's; TGI answers to any model name",
    "--quantization": "that is vLLM's; set engine_quantize",
    "--enforce-eager": "that is vLLM's; TGI has --cuda-graphs 0",
    "--max-batch-size": "TGI ignores it where it reads prompts in chunks, as it does by default; "
    "set engine_max_concurrent_requests",
    "--max-batch-total-tokens": "TGI measures it at start and ignores the flag; set "
    "engine_memory_fraction",
    "--ngrok-authtoken": program.NEVER_IN_ARGV,
    "--ngrok": "TGI's router panics on it; the gateway is the way in",
    "--ngrok-edge": "TGI's router panics on it; the gateway is the way in",
    "--huggingface-hub-cache": "weights are mounted; TGI needs no cache of the Hub",
    "--weights-cache-override": "weights are mounted; TGI needs no cache of the Hub",
}
VARIABLES = program.VARIABLES | {
    "PREFIX_CACHING": "is set by Stoker from engine_prefix_caching",
}

PROGRAM = Program(
    title="TGI 3.3",
    flags=flags.table("tgi"),
    owned=OWNED,
    wrong=WRONG,
    variables=VARIABLES,
    abbreviates=False,
)
