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
