"""The deploy: what brings a host from bare to serving, and keeps it so.

A stage is one file in `stages/` with `apply(…)`, and one line in `deploy.py`; what it needs to
know about a host is a fact (`facts/`), what it does is an operation (`operations/`) that looks
first and can say "no change".
"""
