"""Fetching the weights of one engine: the main process of `stoker-weights@NAME.service`.

`python -m agent.weights NAME` leaves a directory of real files, verified, with a manifest; or it
ends with exit code 1 and one sentence for the operator as its last line. It can be ended and
started again at any moment. It alone sees the Hub's token.

fetch     the order of things
plan      which files, how many bytes, do they fit: pure
verify    are the files what the Hub's listing says
hub       the Hub, through `huggingface_hub`
trouble   what an error of the Hub means: pure
progress  a line now and then
"""
