"""Tell a decision by a signed POST, as the agent's webhook does: same headers, same signature."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any

from agent.errors import StokerError
from agent.webhook_queue import Verdict, verdict
from agent.webhook_signature import sign
from fleet.command import WrongUseError
from fleet.scaling.event import Event


class Post:
    """One way of telling; see `command.Way`. Neither secret nor URL is ever shown."""

    name = "webhook"

    def __init__(
        self, url: str, secret: bytes, deadline: float, clock: Callable[[], float] = time.time
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise WrongUseError("--webhook: expected an http(s) address")
        self._url, self._secret, self._deadline, self._clock = url, secret, deadline, clock
        self._opener = urllib.request.build_opener(_NoRedirect)

    def tell(self, event: Event) -> str:
        """Post it; return what went wrong, or nothing."""
        timestamp, body = str(int(self._clock())), event.body()
        request = urllib.request.Request(  # noqa: S310 - its scheme was looked at
            self._url,
            data=body,
            headers={
                "Content-Type": "application/json",
                "Stoker-Event-Id": event.id,
                "Stoker-Timestamp": timestamp,
                "Stoker-Signature": sign(self._secret, timestamp, body),
            },
        )
        try:
            with self._opener.open(request, timeout=self._deadline) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as error:
            status = error.code
        except TimeoutError:
            return f"the receiver gave no answer within {self._deadline:g} s"
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            return f"the receiver cannot be reached: {type(reason).__name__}"
        if verdict(status) is Verdict.SENT:
            return ""
        return f"the receiver said HTTP {status}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is signed is for this receiver alone."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def secret(path: str | None) -> bytes:
    """Read the secret that signs; raise `StokerError` when there is none."""
    if not path:
        raise WrongUseError("--webhook: needs --webhook-secret-file, which signs what is sent")
    try:
        found = Path(path).read_bytes().strip()
    except OSError as error:
        raise StokerError(f"--webhook-secret-file {path}: {error.strerror}") from error
    if not found:
        raise StokerError(f"--webhook-secret-file {path}: is empty")
    return found
