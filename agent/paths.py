"""Every place on a node that is ours (DESIGN §9). Kept in one value so that tests can move it."""

from pathlib import Path

import msgspec


class Paths(msgspec.Struct, frozen=True):
    """Roots of our files on the node; everything else is derived."""

    etc: Path = Path("/etc/stoker")
    state: Path = Path("/var/lib/stoker")
    run: Path = Path("/run/stoker")

    @property
    def spec(self) -> Path:
        """The HostSpec, as the deploy left it."""
        return self.etc / "host.json"

    @property
    def socket(self) -> Path:
        """The unix socket that takes requests."""
        return self.run / "agent.sock"

    @property
    def gateway(self) -> Path:
        """The unix socket to which the gateway's nginx tells each request."""
        return self.run / "gateway.sock"

    @property
    def certificate(self) -> Path:
        """The certificate of the gateway, which is no secret."""
        return self.etc / "tls.crt"

    @property
    def balancer_certificate(self) -> Path:
        """The certificate of the balancer, which is no secret."""
        return self.etc / "balancer.crt"

    @property
    def outs(self) -> Path:
        """The GPUs that an engine may be started on (`agent.outs`)."""
        return self.run / "out-of-service.json"

    @property
    def inhibit(self) -> Path:
        """While this file is there, no GPU is reset and the host is not rebooted by the agent."""
        return self.etc / "inhibit"

    @property
    def drift(self) -> Path:
        """What the last check for drift found (`agent.drift.report`)."""
        return self.state / "drift.json"

    @property
    def maintenance(self) -> Path:
        """While this file says so, nothing is put right here (`agent.maintenance`)."""
        return self.etc / "maintenance"

    def gate(self, engine: str) -> Path:
        """Traffic passes while this file is there; nginx looks at it for every request."""
        return self.run / "gates" / f"{engine}.open"

    def comeback(self, engine: str, seconds: int) -> Path:
        """While this file is there, nginx tells who is turned away to come after `seconds`."""
        return self.run / "gates" / f"{engine}.back-{seconds}"

    def started(self, engine: str) -> Path:
        """What the running engine was started with (`reports.Started`)."""
        return self.run / "engines" / f"{engine}.json"

    def caches(self, engine: str) -> Path:
        """What an engine compiled, a directory for each image."""
        return self.state / "engines" / engine / "cache"

    def exit(self, engine: str) -> Path:
        """How the engine ended last (`reports.Exit`)."""
        return self.state / "engines" / f"{engine}.exit.json"


def engine_unit(engine: str) -> str:
    """Return the systemd unit of an engine."""
    return f"stoker-engine@{engine}.service"


def weights_unit(engine: str) -> str:
    """Return the one-shot systemd unit that fetches an engine's weights."""
    return f"stoker-weights@{engine}.service"
