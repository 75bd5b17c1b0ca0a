"""Drift: what on this node is no longer as its release says, and putting it right.

`python -m fleet.drift`, by cron, from the tree of the current release. It asks the operations of
the very deploy what they would do, sorts that by what doing it would cost (`kinds`), and carries
out what may be carried out now (`policy`); the rest is reported.
"""
