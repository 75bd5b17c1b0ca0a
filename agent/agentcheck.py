r"""What HAProxy is told: its agent-check (HAProxy configuration manual, `agent-check`).

HAProxy connects every `agent-inter`, may send a line (`agent-send`), and reads one line. What a
line leaves out stays as it was, and only the agent can undo what the agent has set; so each line
is the complete truth: operational state, administrative state and weight. When the agent cannot
be reached HAProxy changes nothing, and the server's ordinary `check` alone decides.

    server gpu-1 10.0.0.1:443 weight 100 check agent-check agent-port 9751 agent-inter 300ms
        agent-send "engine=main\n"

A weight between 0 and 100 % needs a dynamic `balance` (roundrobin, leastconn, random).
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable

log = logging.getLogger("stoker.agentcheck")

Line = Callable[[str | None], str]  # of an engine, or `model=NAME`; None = the node

CONNECTIONS = 64  # served at once; what is more is closed unanswered, which changes nothing
LISTEN_FOR = 0.05  # seconds; HAProxy without agent-send sends nothing
DEADLINE = 1.0  # seconds for a whole connection
_INPUT_LIMIT = 256  # bytes
_REASON_LIMIT = 80  # characters


def line(
    *,
    serving: bool,
    weight_percent: int,
    maintenance: bool,
    reason: str,
    maxconn: int | None = None,
) -> str:
    """Return the whole truth about an engine or a node, as one line that HAProxy reads.

    - serving: new requests are welcome; the share of them follows `weight_percent`, the capacity
      that is left, held within 1 to 100 because 0 would read as a drain.
    - in maintenance: no new requests, but those of sessions that stick to this server (`drain`).
    - neither: nobody is let in, sticky sessions included (`down`); requests in flight go on,
      unless `on-marked-down shutdown-sessions` says otherwise. It also says `drain`, so that no
      word of it lets anybody in before the others are read.

    `maxconn`: how many requests it takes at once; None = the balancer goes by its own settings.
    """
    weight = f"{min(max(weight_percent, 1), 100)}%"
    if maxconn is not None:
        weight += f" maxconn:{max(maxconn, 1)}"
    if serving and not maintenance:
        return f"up ready {weight}\n"
    words = f"up drain {weight}" if maintenance else f"down drain {weight}"
    why = re.sub(r"[^!-~]+", " ", reason).strip()[:_REASON_LIMIT]
    return f"{words} #{why}\n" if why else f"{words}\n"


async def serve(host: str, port: int, answer: Line) -> asyncio.Server:
    """Listen; each connection is answered with what `answer` says at that moment.

    Raises `OSError` when it cannot listen. An `answer` that raises leaves HAProxy as it was.
    """
    open_now = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        open_now += 1
        try:
            if open_now <= CONNECTIONS:
                async with asyncio.timeout(DEADLINE):
                    await _converse(reader, writer, answer)
        except (TimeoutError, OSError):
            pass  # the other end is slow or gone: it asks again
        except Exception:
            log.exception("no answer to a check; the balancer keeps what it knew")
        finally:
            open_now -= 1
            writer.transport.abort()

    return await asyncio.start_server(connected, host, port, limit=_INPUT_LIMIT)


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Line
) -> None:
    asked = await _asked(reader)
    writer.write(answer(asked).encode("ascii"))
    writer.write_eof()
    await writer.drain()
    # What still comes is read: closing over unread input resets, and may lose the answer.
    while await reader.read(_INPUT_LIMIT):
        pass


async def _asked(reader: asyncio.StreamReader) -> str | None:
    """Return the engine's name from `NAME` or `engine=NAME`, or None if nothing comes in time.

    `model=NAME` stays as it is: all engines that serve it are asked for.
    """
    got = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LISTEN_FOR):
            while b"\n" not in got and len(got) < _INPUT_LIMIT:
                more = await reader.read(_INPUT_LIMIT)
                if not more:
                    break
                got += more
    name = got.partition(b"\n")[0].decode("ascii", "replace").strip()
    return name.removeprefix("engine=") or None
