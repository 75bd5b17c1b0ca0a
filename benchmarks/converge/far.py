"""Ports of this machine that lead to hosts far away: `far.py SECONDS PORT=ADDRESS …`.

What comes in at a port goes to port 22 of the address, and back, `SECONDS` later each way. A
stand-in for `tc netem`, which not every kernel has.
"""

import asyncio
import socket
import sys
from functools import partial


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late: float) -> None:
    """Hand on what is read, `late` seconds later."""
    loop = asyncio.get_running_loop()
    line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def hand_on() -> None:
        while True:
            due, part = await line.get()
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            if not part:
                writer.close()
                return
            writer.write(part)

    task = asyncio.create_task(hand_on())
    while part := await reader.read(1 << 16):
        line.put_nowait((loop.time() + late, part))
    line.put_nowait((loop.time() + late, b""))
    await task


async def serve(late: float, ports: dict[int, str]) -> None:
    """Serve all ports until killed."""

    async def connected(
        address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, back = await asyncio.open_connection(address, 22)
        for one in (writer, back):
            one.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ends = pump(reader, back, late), pump(there, writer, late)
        await asyncio.gather(*ends, return_exceptions=True)

    for port, address in ports.items():
        await asyncio.start_server(partial(connected, address), "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    pairs = (argument.split("=") for argument in sys.argv[2:])
    asyncio.run(serve(float(sys.argv[1]), {int(port): address for port, address in pairs}))
