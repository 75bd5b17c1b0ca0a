"""A file that only root may read, whose content is seen nowhere else."""

from collections.abc import Generator

from pyinfra.api import StringCommand, operation
from pyinfra.api.hiddenvalue import HiddenValue

from fleet.operations.file import place


@operation()
def secret_file(
    path: str, content: HiddenValue, owner: str = "root:root"
) -> Generator[StringCommand]:
    """Make `path` hold the secret `content`, mode 0600, root's or its reader's.

    pyinfra's own `files.put` shows secrets in four ways (argv of the operation, `/tmp`, the mode
    before the chmod, `--diff`); this shows them in none.
    """
    yield from place(path, content.unmask().rstrip("\n") + "\n", "600", owner)
