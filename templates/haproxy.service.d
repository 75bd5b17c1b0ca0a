{% macro resolves() -%}
/bin/sh -c 'for name in {{ names | join(" ") }}; do getent ahosts $$name >/dev/null && exit; done; echo "no name of a host resolves: {{ names | join(", ") }}" >&2; exit 1'
{%- endmacro %}
# Written by Stoker.
[Unit]
# It always comes back: nobody reaches the hosts without it.
StartLimitIntervalSec=0

[Service]
LimitNOFILE={{ descriptors }}
ExecStartPre=
# What is known of the hosts is of use right after a reload; later it is no news.
ExecStartPre=/bin/sh -c 'find {{ state }} -mmin +1 -delete 2>/dev/null; [ -s {{ state }} ] || echo 1 >{{ state }}'
{% if names %}
# A name that does not resolve now stays out until the next reload; here names lead to all hosts.
ExecStartPre={{ resolves() }}
{% endif %}
ExecStartPre=/usr/sbin/haproxy -c -q -f {{ conf }}
# What this HAProxy was started with; a deploy reloads it only when that differs.
ExecStartPre=/bin/sh -c 'cat {{ files }} | sha256sum | cut -c1-64 >{{ stamp }}'
ExecStart=
ExecStart=/usr/sbin/haproxy -Ws -f {{ conf }} -p /run/haproxy.pid
ExecReload=
{% if names %}
ExecReload={{ resolves() }}
{% endif %}
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
