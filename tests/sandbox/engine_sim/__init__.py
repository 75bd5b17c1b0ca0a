"""A stand-in for an LLM engine: same flags, logs, processes, HTTP and ways to fail; no model.

Run it with ``python -m tests.sandbox.engine_sim [FLAGS]`` or from the image that ``image.build()``
makes. The modules here know batches, faults and processes; what one engine looks like from outside
lives in ``dialects/<engine>``. To add an engine: one package there and one line in
``dialects/__init__.py``.
"""
