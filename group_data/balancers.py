"""Hosts of the group `balancers`: HAProxy in front of all hosts with engines (docs/balancer.md)."""

balancer_enabled = True
# A host with engines may be a balancer too: set balancer_enabled at that host instead.
engines = {}
driver_gpu_count = 0
