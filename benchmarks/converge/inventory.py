"""The hosts that BENCH_HOSTS names: a JSON file of {name: {ssh_hostname, ssh_port, ssh_key}}."""

import json as _json
import os as _os
from pathlib import Path as _Path

_found = _json.loads(_Path(_os.environ["BENCH_HOSTS"]).read_text())
hosts = [
    (name, {**data, "ssh_user": "operator", "ssh_strict_host_key_checking": "no", "_sudo": True})
    for name, data in _found.items()
]
