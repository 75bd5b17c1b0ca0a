#!/bin/sh
# Turns a debootstrapped system into one that boots systemd in a container, many times over.
set -eu
echo 'APT::Keep-Downloaded-Packages "true";' > /etc/apt/apt.conf.d/80keep-downloads
echo 'Acquire::Languages "none";' > /etc/apt/apt.conf.d/80no-translations
# There are no kernel modules to load and no consoles to log in at.
systemctl mask systemd-modules-load.service getty@tty1.service console-getty.service
: > /etc/machine-id
rm -f /etc/ssh/ssh_host_*
cat > /usr/sbin/sandbox-init <<'END'
#!/bin/sh
# Containers share the kernel's boot id: give this boot its own, as a real reboot would.
cat /proc/sys/kernel/random/uuid > /run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
# A real machine's root is shared; without it credentials (LoadCredential) do not reach services.
mount --make-rshared /
exec /sbin/init
END
chmod 0755 /usr/sbin/sandbox-init
