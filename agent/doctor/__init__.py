"""`stokerctl doctor`: what an operator would ask about this node, and how to put it right.

It reads only. Each examination is one file in `examinations/` (or one of a small family), with its
test, and a line in the registry there; it takes a reading from the node and judges it in a pure
function. What cannot be looked at is unknown, and no fault.
"""
