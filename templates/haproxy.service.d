# Written by Stoker.
[Unit]
# It always comes back: nobody reaches the hosts without it.
StartLimitIntervalSec=0

[Service]
LimitNOFILE={{ descriptors }}
ExecStartPre=
# What is known of the hosts is of use right after a reload; later it is no news.
ExecStartPre=/bin/sh -c 'find {{ state }} -mmin +1 -delete 2>/dev/null; [ -s {{ state }} ] || echo 1 >{{ state }}'
ExecStartPre=/usr/sbin/haproxy -c -q -f {{ conf }}
# What this HAProxy was started with; a deploy reloads it only when that differs.
ExecStartPre=/bin/sh -c 'cat {{ files }} | sha256sum | cut -c1-64 >{{ stamp }}'
ExecStart=
ExecStart=/usr/sbin/haproxy -Ws -f {{ conf }} -p /run/haproxy.pid
ExecReload=
ExecReload=/usr/sbin/haproxy -c -q -f {{ conf }}
ExecReload=/bin/sh -c 'cat {{ files }} | sha256sum | cut -c1-64 >{{ stamp }}'
# Who was out stays out. If that cannot be kept, each host is asked again within a second.
ExecReload=-/opt/stoker/venv/bin/python -m agent.haproxy {{ socket }} {{ state }}
ExecReload=/bin/kill -USR2 $MAINPID
Restart=always
RestartSec=1
NoNewPrivileges=yes
ProtectHome=yes
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
