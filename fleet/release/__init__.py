"""Releases: what a host converges to, as one directory that nobody changes.

`tree` packs the deploy, `wanted` says which release a host should have, `given` is how a deploy
that runs on the node finds the files that the control machine had.
"""
