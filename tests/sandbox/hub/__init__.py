"""A Hub endpoint for the sandbox: the part of the Hub's HTTP API that `huggingface_hub` asks.

Run it with ``python -m tests.sandbox.hub`` here, or copied alone into the depot as
``python3 -m hub`` (therefore: relative imports, the standard library and aiohttp >= 3.8 only).
Models lie in ``ROOT/<org>/<name>/`` beside an optional ``repo.json`` (see `repo.Settings`).
"""
