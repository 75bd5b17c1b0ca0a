"""The work itself, as data: a host's ground and its gateway, about as our own stages do it.

Ours and plain pyinfra read it from here, Ansible from the JSON that `python work.py` prints.
"""

import json

TOP = "/etc/bench"
PACKAGES = ["ca-certificates", "cron", "curl", "gpg", "polkitd", "python3-venv"]
HELD = ["nginx", "jq"]
USERS = {"bench": "/var/lib/bench", "bench-gate": "/nonexistent"}
DIRECTORIES = {
    TOP: "755",
    f"{TOP}/secrets": "700",
    **{f"{TOP}/site-{n}": "755" for n in range(8)},
    "/opt/bench": "755",
    "/opt/bench/releases": "755",
    "/opt/bench/venvs": "755",
    "/var/lib/bench": "1775",
    "/etc/systemd/system/nginx.service.d": "755",
}
# Path: (template, mode). Each is rendered with its own path and `number`.
TEMPLATES = {
    "/etc/apt/apt.conf.d/52bench": ("apt.j2", "644"),
    "/etc/apt/keyrings/bench.asc": ("key.j2", "644"),
    "/etc/apt/sources.list.d/bench.sources": ("sources.j2", "644"),
    "/etc/sysctl.d/90-bench.conf": ("sysctl.j2", "644"),
    "/etc/tmpfiles.d/bench.conf": ("tmpfiles.j2", "644"),
    "/etc/cron.d/bench": ("cron.j2", "644"),
    "/etc/systemd/system/bench.service": ("unit.j2", "644"),
    "/etc/systemd/system/nginx.service.d/bench.conf": ("drop-in.j2", "644"),
    **{f"{TOP}/site-{n}/site.conf": ("site.j2", "644") for n in range(8)},
    **{f"{TOP}/site-{n}/limits.conf": ("limits.j2", "640") for n in range(6)},
}
SECRETS = {f"{TOP}/secrets/{name}": ("secret.j2", "600") for name in ("key", "token")}
LINKS = {
    "/opt/bench/current": "releases",
    "/opt/bench/venv": "venvs",
    "/usr/local/bin/bench": "/bin/true",
    "/usr/local/bin/benchctl": "/bin/true",
}
ABSENT = ["/etc/cron.d/bench-old", "/etc/systemd/system/bench-old.service"]
UNITS = ["cron.service", "ssh.service", "nginx.service", "bench.service"]


def number(path: str) -> int:
    """Return a number that differs between the files of one template."""
    return 8000 + sum(path.encode()) % 1000


def document() -> dict[str, object]:
    """Return the work as Ansible's variables."""
    files = {**TEMPLATES, **SECRETS}
    return {
        "packages": [*PACKAGES, *HELD],
        "held": HELD,
        "users": [{"name": name, "home": home} for name, home in USERS.items()],
        "directories": [{"path": path, "mode": mode} for path, mode in DIRECTORIES.items()],
        "files": [
            {"path": path, "src": src, "mode": mode, "number": number(path)}
            for path, (src, mode) in files.items()
        ],
        "links": [{"path": path, "target": target} for path, target in LINKS.items()],
        "absent": ABSENT,
        "units": UNITS,
    }


if __name__ == "__main__":
    print(json.dumps(document(), indent=2))
