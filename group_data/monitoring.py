"""Hosts of the group `monitoring`: they watch all hosts of the inventory."""

monitoring_enabled = True
# A host with engines may do this too: set monitoring_enabled at that host instead.
engines = {}
driver_gpu_count = 0
