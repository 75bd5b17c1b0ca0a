"""Drifts that can be planted on a host, and what a check must say about each."""

from dataclasses import dataclass

from agent.drift.report import Kind

SAFE, DISRUPTIVE, NEVER = Kind.SAFE, Kind.DISRUPTIVE, Kind.NEVER
RELEASE = "/opt/stoker/releases/current"
RELOAD = "systemctl daemon-reload"


@dataclass(frozen=True)
class Drift:
    """`plant` and `heal` are shell commands of root; `told` is a part of the finding.

    `heal` only where a check cannot, or does not, put it right. `alone`: not with the others.
    """

    told: str
    plant: str
    kind: Kind = SAFE
    heal: str = ""
    alone: bool = False


def _file(stage: str, path: str, how: str, *, alone: bool = False) -> Drift:
    plants = {
        "content": f"echo '# by hand' >>{path}",
        "mode": f"chmod 666 {path}",
        "owner": f"chown nobody:nogroup {path}",
        "gone": f"rm {path}",
        "link": f"rm {path}; ln -s /etc/hostname {path}",
        "directory": f"rm {path}; mkdir {path}; touch {path}/x",
        "empty": f": >{path}",
    }
    return Drift(f"{stage} | place {path}", plants[how], alone=alone)


ETC, SYSTEMD = "/etc/stoker", "/etc/systemd/system"
DRIFTS = (
    _file("base", "/etc/apt/apt.conf.d/52stoker", "gone"),
    _file("base", "/etc/sysctl.d/60-stoker.conf", "content"),
    _file("base", "/etc/tmpfiles.d/stoker.conf", "mode"),
    _file("base", "/etc/systemd/journald.conf.d/60-stoker.conf", "empty"),
    _file("firewall", f"{SYSTEMD}/stoker-firewall.service", "mode"),
    _file("driver", f"{SYSTEMD}/nvidia-persistenced.service.d/stoker.conf", "content"),
    _file("runtime", f"{SYSTEMD}/docker.service.d/stoker.conf", "owner"),
    _file("runtime", f"{SYSTEMD}/nvidia-cdi-refresh.service.d/stoker.conf", "gone"),
    _file("model", f"{SYSTEMD}/stoker-weights@.service", "gone"),
    _file("model", f"{ETC}/coming/host.json", "content"),
    _file("gateway", f"{ETC}/nginx.conf", "content"),
    _file("gateway", f"{ETC}/nginx.conf", "directory", alone=True),
    _file("gateway", f"{ETC}/gateway.js", "link"),
    _file("gateway", f"{ETC}/gateway-limits.conf", "directory"),
    _file("gateway", f"{ETC}/secrets/gateway-keys.conf", "content"),
    _file("gateway", f"{ETC}/secrets/gateway-keys.conf", "owner", alone=True),
    _file("gateway", f"{ETC}/secrets/tls.key", "mode"),
    _file("gateway", f"{ETC}/tls.crt", "link"),
    _file("gateway", f"{SYSTEMD}/nginx.service.d/stoker.conf", "empty"),
    _file("agent", f"{ETC}/host.json", "content"),
    _file("agent", "/etc/polkit-1/rules.d/50-stoker.rules", "gone"),
    _file("agent", f"{SYSTEMD}/stoker-agent.service", "content"),
    _file("agent", f"{SYSTEMD}/stoker-engine@.service", "mode"),
    _file("drift", "/etc/cron.d/stoker", "content"),
    _file("drift", "/etc/cron.d/stoker", "gone", alone=True),
    Drift("base | make directories", f"chmod 755 {ETC}/secrets"),
    Drift("base | make directories", "chown root:root /run/stoker/gates", alone=True),
    Drift("runtime | make directories", "chmod 777 /etc/docker"),
    Drift("base | set kernel parameters", "sysctl -qw net.core.somaxconn=77"),
    Drift("base | add user stoker", "usermod -s /bin/bash -aG docker stoker"),
    Drift("runtime | install and hold docker-ce", "apt-mark unhold docker-ce"),
    Drift("driver | hold the driver and the kernel", "apt-mark unhold nvidia-driver-cuda"),
    Drift("base | install ca-certificates", "dpkg --purge chrony 2>&1"),
    Drift("runtime | add Docker's repository",
          "sed -i s/^Suites/#Suites/ /etc/apt/sources.list.d/stoker-docker.sources"),
    Drift("runtime | add the repository of NVIDIA's container toolkit",
          "echo x >>/etc/apt/keyrings/stoker-nvidia-toolkit.asc"),
    Drift("driver | run nvidia-persistenced", "systemctl stop nvidia-persistenced"),
    Drift("runtime | write the CDI specification", "rm /var/run/cdi/nvidia.yaml"),
    Drift("gateway | run nginx with this", "systemctl stop nginx"),
    Drift("gateway | run nginx with this", "systemctl disable -q nginx", alone=True),
    Drift("agent | run the agent with this", "systemctl stop stoker-agent", alone=True),
    Drift("drift | run cron", "systemctl mask -q --now cron"),
    Drift("agent | link /opt/stoker/venv", "ln -sfnT /tmp /opt/stoker/venv"),
    Drift("agent | link /usr/local/bin/stokerctl",
          "rm /usr/local/bin/stokerctl; echo exit 0 >/usr/local/bin/stokerctl"),
    Drift("drift | write the manifest", "sed -i s/644/666/ /var/lib/stoker/manifest.json"),
    Drift("model | fetch the weights of main",
          "f=$(find /var/lib/stoker/models -name '*.safetensors' | head -n 1);"
          'echo "$f" >/root/weights.path; cp -a "$f" /root/weights; cp "$f" "$f.x"; '
          'truncate -s 100 "$f.x"; mv "$f.x" "$f"',
          # The node has no token: fetching them is tried, and fails.
          heal='cp -a /root/weights "$(cat /root/weights.path)"', alone=True),
    Drift("runtime | merge /etc/docker/daemon.json",
          "sed -i 's/\"live-restore\": true/\"live-restore\": false/' /etc/docker/daemon.json",
          DISRUPTIVE),
    Drift("engine | run the engines", "docker update --cpus 1 stoker-main", DISRUPTIVE),
    Drift("firewall | load", "nft delete table inet stoker", NEVER,
          "nft -f /etc/stoker/firewall.nft", alone=True),
    Drift("firewall | load", "nft insert rule inet stoker input tcp dport 9999 accept", NEVER,
          "nft -f /etc/stoker/firewall.nft"),
    Drift("drift | nginx.service is changed by others",
          f"printf '[Service]\nNice=5\n' >{SYSTEMD}/nginx.service.d/zz.conf; {RELOAD}", NEVER,
          f"rm {SYSTEMD}/nginx.service.d/zz.conf; {RELOAD}"),
    Drift("drift | stoker-engine@main.service is changed by others",
          f"mkdir -p {SYSTEMD}/stoker-engine@.service.d; printf '[Service]\nNice=5\n' "
          f">{SYSTEMD}/stoker-engine@.service.d/zz.conf; {RELOAD}", NEVER,
          f"rm {SYSTEMD}/stoker-engine@.service.d/zz.conf; {RELOAD}"),
    Drift("runtime | install and hold NVIDIA's container toolkit",
          "sed -i '/^Package: nvidia-container-toolkit$/,/^$/s/^Version: .*/Version: 9.9-1/' "
          "/var/lib/dpkg/status", NEVER, "cp /root/dpkg-status /var/lib/dpkg/status", alone=True),
    Drift("drift | release", f"echo '# by hand' >>{RELEASE}/tree/fleet/rollout.py", NEVER,
          f"sed -i '/^# by hand/d' {RELEASE}/tree/fleet/rollout.py", alone=True),
    Drift("drift | release", f"echo 1 >{RELEASE}/tree/fleet/more.py", NEVER,
          f"rm {RELEASE}/tree/fleet/more.py", alone=True),
    Drift("drift | release",
          f"cp -a {RELEASE}/about.json /root/; sed -i s/production/legacy/ {RELEASE}/about.json",
          NEVER, f"cp -a /root/about.json {RELEASE}/", alone=True),
)  # fmt: skip
