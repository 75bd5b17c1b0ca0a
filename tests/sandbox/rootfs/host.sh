#!/bin/sh
# Turns it into a bare GPU host as a provider hands it over: SSH with keys only, one sudo user, nothing
# of ours. Packages that a deploy will ask for wait in apt's cache.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
# shellcheck disable=SC2086  # a list of packages
apt-get install -y --download-only $SEED

useradd --create-home --shell /bin/bash --uid 1000 --gid operator --groups adm,sudo operator
install -d -m 0700 -o operator -g operator /home/operator/.ssh
echo 'operator ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/operator
chmod 0440 /etc/sudoers.d/operator
cat > /etc/ssh/sshd_config.d/10-keys-only.conf <<'END'
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UseDNS no
END

# A test is to meet no check for drift but its own: cron's, which comes at a time of its own, puts right
# what was planted, and holds the host's lock meanwhile.
cat > /etc/systemd/system/sandbox-no-drift.service <<'END'
[Unit]
Description=Holds the lock of cron's check for drift
ConditionPathExists=/sim/no-drift

[Service]
ExecStart=/usr/bin/flock /run/stoker-drift.lock sleep infinity

[Install]
WantedBy=multi-user.target
END
systemctl enable sandbox-no-drift.service

# A stand-in for the kernel's log, which all hosts here would share: a FIFO that the tests write to,
# mounted over /dev/kmsg for those of our services that read or write it.
cat > /etc/systemd/system/sandbox-kmsg.service <<'END'
[Unit]
Description=Keeps the stand-in of the kernel's log open
DefaultDependencies=no

[Service]
ExecStart=/bin/sh -c 'exec sleep infinity 3<>/sim/kmsg'

[Install]
WantedBy=sysinit.target
END
systemctl enable sandbox-kmsg.service
install -d /etc/systemd/system/stoker-agent.service.d /etc/systemd/system/stoker-reset@.service.d
printf '[Service]\nBindPaths=/sim/kmsg:/dev/kmsg\n' \
    > /etc/systemd/system/stoker-agent.service.d/sandbox.conf
# A reset of a simulated GPU changes a file.
printf '[Service]\nBindPaths=/sim/kmsg:/dev/kmsg\nReadWritePaths=/sim\n' \
    > '/etc/systemd/system/stoker-reset@.service.d/sandbox.conf'
