"""A stand-in for an LLM engine: same flags, logs, processes, HTTP and ways to fail; no model.

Run it with ``python -m tests.sandbox.engine_sim [FLAGS]`` (TGI's launcher), ``… vllm serve MODEL``
or ``… sglang serve MODEL``, or from an image that ``image.build(dialect)`` makes. What happens from
its start on comes from a file (``settings``); what happens later is ordered on its control port,
9999 or STOKER_SIM_CONTROL_PORT (``control``, ``fault_orders``; inside the image: ``sim-ctl``).

The modules here know batches, faults and processes; what vLLM and SGLang share is in ``serving``;
what one engine looks like from outside lives in ``dialects/<engine>``. To add an engine: one
package there, and its programs' names in ``dialects/__init__.py``.
"""
