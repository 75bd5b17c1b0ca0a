"""Imported before all else by what runs on a node every half hour: less memory, less to load.

paramiko imports invoke to obey "Match exec" in an ssh_config, and with it asyncio and unittest; it
does without where there is none. Nothing connects by SSH here.
"""

import sys

sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]
