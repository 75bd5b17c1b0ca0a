"""The sandbox: a simulated fleet on one machine, real from systemd and SSH upwards.

Hosts are containers with systemd as process 1, reached by SSH; a depot container beside them serves
packages, images and models. Hardware and what cannot be downloaded are simulated, the rest is real.

To look around    python -m tests.sandbox up|down|status|reset-host|reboot-host   (`__main__`)
To use in a test  `from tests.sandbox.fleet import Fleet`

`layout` says which hosts a fleet has; `images` builds what they run from; `hosts` and `depot` run them;
`pki`, `credentials` and `access` make what a person or a deploy needs to get in; `packages` makes the apt
repositories. `shell`, `docker`, `dockerd` and `tools` are the edges to the machine underneath.
To add a host: one line in `layout.FLEETS`. To add a stub package: one entry in `packages.table`.
"""
