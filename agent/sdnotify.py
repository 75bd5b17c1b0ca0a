"""The four words we say to systemd (sd_notify(3)); silent when nobody listens."""

import os
import socket


def notify(*lines: str) -> None:
    """Send `lines` (`READY=1`, `STATUS=…`) to the manager that started us, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(address)
        channel.sendall("\n".join(lines).encode())
