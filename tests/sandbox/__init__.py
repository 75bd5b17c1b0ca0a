"""The sandbox: a simulated fleet on one machine, real from systemd and SSH upwards.

Hosts are containers with systemd as process 1, reached by SSH; a depot beside them serves packages,
images and models. Hardware and what cannot be downloaded are simulated, the rest is real.

To look around    python -m tests.sandbox up|down|status|reset-host|reboot-host   (`__main__`)
To use in a test  `from tests.sandbox.fleet import Fleet`

`layout` says which hosts a fleet has; `recipes` and `images` make what they run from; `machine` and
`machines` run them; `files`, `pki`, `credentials` and `access` make what one needs to get in;
`depot` serves what `supplies` and `packages` make. `shell`, `docker`, `dockerd`, `tools`, `outer`
are the edges to the machine underneath. Simulators: `nvml`, `engine_sim`, `hub`; models: `models`.

To add a host: one line in `layout.FLEETS`. To add a stub package: see `packages`.
"""
