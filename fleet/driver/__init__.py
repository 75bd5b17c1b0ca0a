"""Which driver a host gets, and whether it can. Pure: from a spec and what was found to values.

`pci` knows the GPUs, `branches` NVIDIA's driver branches, `names` what packages are called in each
distribution. `recipe.of` puts them together for a host without a driver; `verdict.of` also looks at
what is there already, and is what preflight, the plan and the stage ask. `moving` says whether one
that is installed has to move, and whether it did.
"""
