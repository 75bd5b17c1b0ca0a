"""The stages of a deploy, in the order of `deploy.py`: one file each.

To add one: `stages/NAME.py` with `apply(spec, found)` decorated with `@deploy("NAME")` (so that
every operation is called "NAME | verb object"), a line in `deploy.py`, and its templates.
"""
