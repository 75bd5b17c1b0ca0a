# Written by Stoker.
[Service]
ExecStartPre=
ExecStartPre=/usr/sbin/nginx -t -q -c {{ conf }} -g 'daemon on; master_process on;'
# What this nginx was started with; a deploy reloads it only when that differs.
ExecStartPre=/bin/sh -c 'cat {{ files }} | sha256sum | cut -c1-64 >{{ stamp }}'
ExecStart=
ExecStart=/usr/sbin/nginx -c {{ conf }} -g 'daemon on; master_process on;'
ExecReload=
ExecReload=/usr/sbin/nginx -t -q -c {{ conf }} -g 'daemon on; master_process on;'
ExecReload=/bin/sh -c 'cat {{ files }} | sha256sum | cut -c1-64 >{{ stamp }}'
ExecReload=/usr/sbin/nginx -c {{ conf }} -g 'daemon on; master_process on;' -s reload
Restart=on-failure
RestartSec=2
