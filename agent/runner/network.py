"""The network of the engines' containers: each alone in it, seen from this host only. Pure.

On Docker's default bridge every other container could ask an engine for tokens without a key.
"""

from typing import Any

NAME, BRIDGE = "stoker", "stoker0"
SETTINGS: dict[str, Any] = {
    "name": NAME,
    "driver": "bridge",
    "options": {
        "com.docker.network.bridge.name": BRIDGE,
        "com.docker.network.bridge.enable_icc": "false",
        "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
    },
    "labels": {"stoker": "network"},
}
