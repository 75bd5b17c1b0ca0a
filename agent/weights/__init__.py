"""Fetching the weights of one engine: the main process of `stoker-weights@NAME.service`.

`python -m agent.weights NAME` leaves a directory of real files, verified, with a manifest; or it
ends with exit code 1 and one sentence for the operator as its last line. It can be ended and
started again at any moment, and goes on where it was. It alone sees the Hub's token.

fetch     the order of things
plan      which files, how many bytes, do they fit: pure
partial   the directory in which they come together
origin    where they come from: `hub` through `huggingface_hub`, or `folder`, a directory
caches    weights that lie in a cache of the Hub on this node already
lock      what the operator's models.lock says that they are: pure
verify    are they what the lock, or else the Hub's listing, says
trouble   what an error means: pure
patience  which errors are waited out
session   no request waits for ever
progress  a line now and then
garbage   weights that nothing needs any more, and `command` for people and the deploy
"""
