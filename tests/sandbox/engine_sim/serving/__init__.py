"""What the engines that step have in common: continuous batches, chunked prefill, OpenAI's API.

One process is the API server, and each rank of the model is another; above them stands a
`minder`, which is no part of the engine: it keeps the control port open whatever happens to them.
"""
