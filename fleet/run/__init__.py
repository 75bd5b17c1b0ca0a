"""One run of the deploy, as seen from the control machine: its locks, hooks, course and outcome.

`begin` and `watch` work inside pyinfra, also when it is called directly; `progress` and `screen`
make of their `events` what `stoker deploy` shows; `hooks` are the operator's own programs.
"""
