"""vLLM 0.33: `vllm serve`, its engine core and its workers, as they look from outside."""

VERSION = "0.33.0"
