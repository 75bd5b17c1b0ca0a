"""A fleet that is watched: its Prometheus, asked from the host that it runs on."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from tests.e2e.world import World, wait_for

CONF = "/etc/stoker/monitoring"
SCRAPE = 5  # seconds, as in inventory/sandbox.py
# Every alert as soon as its expression holds, and evaluated once a second.
HURRY = f"""
set -e
sed -i 's/^\\( *\\)for: .*/\\1for: 0s/' {CONF}/rules/*.yml
sed -i 's/_interval: .*/_interval: 1s/; s/_timeout: .*/_timeout: 1s/' {CONF}/prometheus.yml
promtool check config {CONF}/prometheus.yml && amtool check-config {CONF}/alertmanager.yml
sed -i 's/group_wait: .*/group_wait: 1s/; s/group_interval: .*/group_interval: 5s/' \\
  {CONF}/alertmanager.yml
systemctl reload prometheus prometheus-alertmanager
"""
# A receiver of alerts on the host itself; each POST is a line.
RECEIVER = """
import http.server, sys
class Take(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        told = self.headers.get("authorization", "-").encode()
        with open("/run/alerts", "ab") as file:
            file.write(told + b" " + body.replace(b"\\n", b" ") + b"\\n")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", 9799), Take).serve_forever()
"""


class Eye:
    """One host that watches."""

    def __init__(self, world: World, host: str) -> None:
        self.world, self.host = world, host

    def shell(self, command: str, *, check: bool = True, deadline: float = 60) -> str:
        return self.world.shell(self.host, command, check=check, deadline=deadline)

    def ask(self, path: str, port: int = 9090) -> Any:
        """Return what Prometheus (or, by its port, Alertmanager) answers."""
        return json.loads(self.shell(f'curl -sf "http://127.0.0.1:{port}/{path}"'))

    def query(self, expr: str) -> list[dict[str, Any]]:
        return list(self.ask(f"api/v1/query?query={quote(expr)}")["data"]["result"])

    def alerts(self) -> list[dict[str, Any]]:
        """Return what fires."""
        found = self.ask("api/v1/alerts")["data"]["alerts"]
        return [one for one in found if one["state"] == "firing"]

    def firing(self, instance: str | None = None) -> set[str]:
        """Return the names of the alerts that fire, of one host or of all."""
        labels = [one["labels"] for one in self.alerts()]
        return {one["alertname"] for one in labels if instance in {None, one.get("instance")}}

    def fires(self, instance: str, names: Iterable[str], seconds: float = 60) -> None:
        """Wait until all of them fire."""
        wanted = set(names)

        def there() -> bool:
            missing = wanted - self.firing(instance) - self.firing_without(instance)
            if missing:
                raise AssertionError(f"silent: {missing}; firing: {self.firing(instance)}")
            return True

        wait_for(f"alerts of {instance}: {wanted}", there, seconds, pause=1)

    def firing_without(self, instance: str) -> set[str]:
        """Return those that are about no host, such as a model's."""
        labels = (one["labels"] for one in self.alerts())
        return {one["alertname"] for one in labels if "instance" not in one}

    def clears(self, instance: str, names: Iterable[str], seconds: float = 60) -> None:
        """Wait until none of them fires any more."""

        def over() -> bool:
            left = set(names) & (self.firing(instance) | self.firing_without(instance))
            if left:
                raise AssertionError(f"still firing: {left}")
            return True

        wait_for(f"{instance} is well", over, seconds, pause=1)

    def pid(self, unit: str = "prometheus") -> str:
        """Return the process of a unit: the same one = it was not started again."""
        return self.shell(f"systemctl show -p MainPID --value {unit}")

    def hurry(self) -> None:
        """Let alerts not wait; the next deploy, or check for drift, puts it back."""
        self.shell(HURRY)
        wait_for("Prometheus is back", lambda: self.query("up"), 30)

    def forget(self) -> None:
        """Have no past: some alerts look hours back."""
        self.shell(
            "systemctl stop prometheus; rm -rf /var/lib/prometheus/metrics2/*; "
            "systemctl start prometheus"
        )
        hosts = len(self.world.hosts)
        wait_for("all are seen", lambda: len(self.query('up{job="stoker"}')) == hosts, 30)

    def listen(self) -> None:
        """Receive alerts here."""
        self.shell("rm -f /run/alerts; systemctl stop receiver 2>/dev/null; true")
        self.shell(f"cat >/run/receiver.py <<'END'\n{RECEIVER}\nEND")
        self.hear()

    def hear(self) -> None:
        self.shell("systemd-run -q --collect --unit=receiver python3 /run/receiver.py")

    def deafen(self) -> None:
        """Receive nothing until `hear`."""
        self.shell("systemctl stop receiver")

    def received(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what was received: the header that authorises, and the alert with its status."""
        found = []
        for line in self.shell("cat /run/alerts 2>/dev/null || true").splitlines():
            at = line.index("{")
            told = json.loads(line[at:])
            found += [(line[:at].strip(), alert) for alert in told["alerts"]]
        return found


def wishes(world: World, data: Mapping[str, Mapping[str, Any]]) -> None:
    """Say what is wanted of hosts beside what the inventory says."""
    (world.directory / "data.json").write_text(json.dumps(data))
