"""What runs on a host to look at containers that are not ours.

These modules are sent as they are to the host's own python3, so they import the standard library
and each other alone. Of secrets they tell the names; no value leaves the host.

program   the document that is printed
config    what Docker says of a container: GPUs, model, secrets, ports
caches    which weights it has
owner     who starts it again
holds     what its processes hold: ports, GPUs
"""
