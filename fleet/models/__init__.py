"""Models as the control machine sees them: the lock, access, and what a checkpoint consists of.

lockfile   models.lock as text: pure
locked     what the lock has to say about a host's spec
wanted     which models the hosts of an inventory want
metadata   a checkpoint's configuration and tensors, without downloading it
lock       `stoker models lock`
check      `stoker models check`
command    `stoker models`
"""
