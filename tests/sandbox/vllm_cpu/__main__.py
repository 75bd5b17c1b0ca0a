"""``python -m tests.sandbox.vllm_cpu`` builds the image and prints its name."""

from tests.sandbox.vllm_cpu.image import build

print(build())
