# Written by Stoker. All else is as the distribution has it.
[Unit]
# The package starts it, on all addresses, before anybody could say otherwise.
ConditionPathExists={{ conf }}

[Service]
# What this one was started with, and what it has read since; a deploy goes by that.
ExecStartPre=+/bin/sh -c 'cat {{ flags }} | sha256sum | cut -c1-64 >{{ started }}'
ExecStartPre=+/bin/sh -c 'xargs cat <{{ listing }} | sha256sum | cut -c1-64 >{{ read }}'
ExecStart=
ExecStart={{ command }}
ExecReload=+/bin/sh -c 'xargs cat <{{ listing }} | sha256sum | cut -c1-64 >{{ read }}'
