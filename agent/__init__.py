"""Stoker's agent: the program that runs on every node."""

__version__ = "0.1.0"
