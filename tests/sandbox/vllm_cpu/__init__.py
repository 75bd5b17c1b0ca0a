"""A real engine for `make demo-real`: vLLM's CPU build in a local image (see `image.build`)."""
