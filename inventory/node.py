"""This very node, with the spec of a release: for corrections and rollbacks (`stoker-release`).

STOKER_RELEASE names the directory of the release.
"""

import os as _os
from pathlib import Path as _Path

from pyinfra.api.exceptions import InventoryError as _InventoryError

from agent import flat as _flat
from agent import spec as _spec

_release = _os.environ.get("STOKER_RELEASE")
if not _release:
    raise _InventoryError("this inventory is for `stoker-release`, on a node")
_host = _spec.load((_Path(_release) / "host.json").read_bytes())

node = [
    ("@local", {**_flat.unsplit(_host, _spec.SECTIONS), "stoker_name": _host.name, "_sudo": False})
]
