"""``text-generation-server download-weights``: here it only checks that the files are there."""

import sys
from collections.abc import Mapping
from pathlib import Path

from ...model_dir import ModelDirError, read_model
from ...settings import load_settings
from .python_log import log

_GATED = (
    "huggingface_hub.errors.GatedRepoError: 401 Client Error.\n\n"
    "Cannot access gated repo for url https://huggingface.co/api/models/{model}.\n"
    "Access to model {model} is restricted. You must have access to it and be authenticated to "
    "access it. Please log in."
)
_NO_NETWORK = (
    'requests.exceptions.ConnectionError: (MaxRetryError("HTTPSConnectionPool('
    "host='huggingface.co', port=443): Max retries exceeded with url: /api/models/{model}\"))"
)
_NOT_CACHED = (
    "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot "
    "folder for the specified revision of {model} on the local disk and outgoing traffic has been "
    "disabled. To enable repo look-ups and downloads online, pass 'local_files_only=False' as "
    "input."
)


def run(model_id: str, env: Mapping[str, str]) -> int:
    """Exit code 0 when the model directory is usable; else 1 and the reason on stderr."""
    start = load_settings(model_id, env).start
    if start == "download_auth":
        return _fail(_GATED.format(model=model_id))
    if start == "download_network":
        return _fail(_NO_NETWORK.format(model=model_id))
    if not Path(model_id).is_dir():
        # There is no Hub for the simulator: only a local directory can be served.
        return _fail(_NOT_CACHED.format(model=model_id))
    try:
        read_model(Path(model_id))
    except ModelDirError as error:
        return _fail(f"FileNotFoundError: {error}")
    log("Files are already present on the host. Skipping download.")
    return 0


def _fail(reason: str) -> int:
    print(f"Traceback (most recent call last):\n{reason}", file=sys.stderr)
    return 1
