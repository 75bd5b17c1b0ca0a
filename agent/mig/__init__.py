"""How GPUs are split (MIG): makes the layout that the spec declares, at every boot.

Instances do not survive a reset or a reboot, on Hopper and later not even the mode does, so
`stoker-mig.service` runs `python -m agent.mig` before anything looks for GPUs.

layout    what is wanted, what is there, what to do: pure
splitter  does it, through nvidia-smi
"""
