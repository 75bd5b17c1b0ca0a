"""SGLang's state and the probe behind its /health, which asks the scheduler for one token."""

import asyncio
import os
import time
from dataclasses import dataclass, field

from ...serving.stepper import Step, Stepper
from .log import Log

STARTING, UP, UNHEALTHY = "Starting", "Up", "UnHealthy"
_PERIOD = 1.0  # seconds between two looks; no probe is answered sooner


@dataclass
class Health:
    """What the server knows about its scheduler."""

    log: Log
    status: str = STARTING
    draining: bool = False
    heard_at: float = field(default_factory=time.monotonic)
    """When anything last came back from the scheduler."""

    @property
    def ready(self) -> bool:
        """Up and not draining."""
        return self.status == UP and not self.draining

    def heard(self, _step: Step) -> None:
        """A step ended."""
        self.heard_at = time.monotonic()

    async def probe(self, stepper: Stepper) -> bool:
        """Ask for a token; True when anything comes back in SGLANG_HEALTH_CHECK_TIMEOUT (20 s)."""
        if self.draining or self.status == STARTING:
            return False
        limit = float(os.environ.get("SGLANG_HEALTH_CHECK_TIMEOUT", "20"))
        began, said = time.monotonic(), time.strftime("%H:%M:%S")
        job = None if stepper.jobs else stepper.probe()
        while time.monotonic() < began + limit:
            await asyncio.sleep(min(_PERIOD, limit))
            if self.heard_at > began:
                self.status = UP
                return True
        if job is not None:
            job.dropped = True
        self.status = UNHEALTHY
        self.log.say(
            "Health check failed. Server couldn't get a response from detokenizer for last "
            f"{limit:.0f} seconds. tic start time: {said}. last_heartbeat time: "
            f"{time.strftime('%H:%M:%S', time.localtime(time.time() + self.heard_at - began))}"
        )
        return False
