"""The programs that talk to the driver, each a child process: a driver call can hang for ever.

    worker   answers polls            (parent: `agent.sources.nvml`)
    events   waits for the driver's events   (parent: `agent.sources.nvml_events`)

They import pynvml, ctypes and json, and nothing else of the agent: what they do not load costs no
memory twice. What a poll tells is described by `agent.sources.gpu`.
"""
