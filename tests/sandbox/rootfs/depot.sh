#!/bin/sh
# The depot: a container registry, a web server for the apt repositories, and Python for the Hub.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends docker-registry nginx-light python3-aiohttp \
    pebble
rm -f /etc/nginx/sites-enabled/default
systemctl mask ssh.service
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -s /etc/systemd/system/hub.service /etc/systemd/system/multi-user.target.wants/hub.service
