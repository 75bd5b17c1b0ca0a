"""The commands of `stoker` that ask running hosts: one file a command.

`hosts` is what a command needs of them, `ssh` the real ones, `selection` says which, `shown` how it
looks. What a command decides and prints is pure, and tested without a host.
"""
