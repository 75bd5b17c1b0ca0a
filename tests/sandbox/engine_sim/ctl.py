"""``sim-ctl state | requests | fault '{"kind": …}'``: the control port, for use inside a container.

Port from STOKER_SIM_CONTROL_PORT, else 9999. Exit code 1 and the reason when the order is refused.
"""

import os
import sys
import urllib.error
import urllib.request

from .control import DEFAULT_PORT


def main(argv: list[str]) -> int:
    """Make one request and print the answer."""
    if argv not in (["state"], ["requests"]) and (len(argv) != 2 or argv[0] != "fault"):
        print(__doc__, file=sys.stderr)
        return 2
    port = os.environ.get("STOKER_SIM_CONTROL_PORT", str(DEFAULT_PORT))
    body = argv[1].encode() if argv[0] == "fault" else None
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{argv[0]}", body, 5) as answer:
            print(answer.read().decode(), end="")
    except urllib.error.HTTPError as error:
        print(error.read().decode(), end="", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"control port {port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
