"""Kernel faults of GPUs (Xid, SXid, bus loss): from a line of text to a verdict. All of it is pure.

    record ──▶ line ──▶ fault ──▶ incident (two sources, one incident) ──▶ verdict
                                              catalogue, nvlink5, nvlink4 ──┘

To change what a number leads to: a row of `handling.HANDLING` (or `check_xid` in group_data).
To add a rule that looks at more than a row can say: a function in `rules.py`, a line in RULES.
"""
