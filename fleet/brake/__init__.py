"""`stoker brake`: who holds a slot of the fleet brake, and freeing one by a person's word.

asking   runs stokerctl on hosts of an inventory
table    what is shown; pure
command  the command
"""
