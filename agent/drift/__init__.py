"""What a deploy manages on this node, and what the last check for drift found.

The check itself is the deploy's (`fleet.drift`); here is what the agent and its commands read.
"""
