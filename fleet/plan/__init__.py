"""`stoker plan`: what a deploy would do, for each host, before it does any of it.

document    the plan as values: what `--json` prints
stages      the disruption that each stage declares
changes     what would change, and what follows from it: pure
memory      does each engine fit, and what does the memory go to: pure
strategy    how an engine is changed: rolling, blue/green or swap: pure
gap         for how long nobody answers: pure
drivers     which driver: pure
driver_moves what moving it would do: the edge to the host, and words
downloads   which weights are to come: pure
takeovers   what becomes of containers of others: pure
engines     the plan of one engine: pure
hosts       the plan of one host: pure
seen        what a host answered
known       what is known of a checkpoint: the edge to cache, directory and Hub
foreseen    what validation refuses by it
dry         what the hosts answer: the edge to pyinfra
loaded      what pyinfra keeps of an operation
text        the plan in words
command     `stoker plan`
"""
