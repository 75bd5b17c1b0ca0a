"""Does the node still look as the last deploy left it? `python -m agent.drift`."""
