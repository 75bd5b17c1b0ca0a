# Written by Stoker.
[Unit]
StartLimitIntervalSec=0

[Service]
# What this keepalived was started with; a deploy reloads it only when that differs.
ExecStartPre=/bin/sh -c 'sha256sum <{{ conf }} | cut -c1-64 >{{ stamp }}'
ExecReload=
ExecReload=/bin/sh -c 'sha256sum <{{ conf }} | cut -c1-64 >{{ stamp }}'
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1
