# Written by Stoker.
[Unit]
# It always comes back: nobody reaches the hosts without it.
StartLimitIntervalSec=0

[Service]
LimitNOFILE=44096
ExecStartPre=
# What is known of the hosts is of use right after a reload; later it is no news.
ExecStartPre=/bin/sh -c 'find /run/stoker/haproxy.state -mmin +1 -delete 2>/dev/null; [ -s /run/stoker/haproxy.state ] || echo 1 >/run/stoker/haproxy.state'
ExecStartPre=/usr/sbin/haproxy -c -q -f /etc/stoker/haproxy.cfg
# What this HAProxy was started with; a deploy reloads it only when that differs.
ExecStartPre=/bin/sh -c 'cat /etc/stoker/haproxy.cfg /etc/stoker/balancer.lua /etc/stoker/balancer.crt /etc/stoker/secrets/balancer.key | sha256sum | cut -c1-64 >/run/stoker-haproxy.sha256'
ExecStart=
ExecStart=/usr/sbin/haproxy -Ws -f /etc/stoker/haproxy.cfg -p /run/haproxy.pid
ExecReload=
ExecReload=/usr/sbin/haproxy -c -q -f /etc/stoker/haproxy.cfg
ExecReload=/bin/sh -c 'cat /etc/stoker/haproxy.cfg /etc/stoker/balancer.lua /etc/stoker/balancer.crt /etc/stoker/secrets/balancer.key | sha256sum | cut -c1-64 >/run/stoker-haproxy.sha256'
# Who was out stays out. If that cannot be kept, each host is asked again within a second.
ExecReload=-/opt/stoker/venv/bin/python -m agent.haproxy /run/stoker/haproxy.sock /run/stoker/haproxy.state
ExecReload=/bin/kill -USR2 $MAINPID
Restart=always
RestartSec=1
NoNewPrivileges=yes
ProtectHome=yes
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
