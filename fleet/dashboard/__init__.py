"""`stoker dashboard`: the pages of all nodes behind one address, in a process of its own.

targets   which nodes, and where each is asked
rows      what the fleet page shows of a node, and which is the worst
watch     asks one node, again and again; a bad one costs nobody else anything
server    the pages, from what the watchers know

pyinfra is not imported here: gevent's patches and asyncio do not go well together.
"""
