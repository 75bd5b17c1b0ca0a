"""One look at one GPU: calls whose answers may be missing, wrong or a verdict."""

from typing import Any

import pynvml

from agent.nvml.codes import DRIVER, UNAVAILABLE, VERDICTS


class Look:
    """What was found so far. `error`: the first code that was neither a value nor "has it not"."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.error: int | None = None
        self.text = ""

    def ask(self, call: str, *arguments: Any) -> Any:
        """Return the call's answer; None where this board, driver or binding has none.

        Raises `NVMLError` for a verdict about the GPU and for what concerns the whole driver.
        """
        function = getattr(pynvml, call, None)
        if function is None:
            return None
        try:
            return function(*arguments)
        except pynvml.NVMLError as error:
            self.heed(error.value, call)
            return None

    def heed(self, code: int, call: str) -> None:
        """Raise what ends this look, note what is odd, pass over what is merely not there."""
        if code in VERDICTS or code in DRIVER:
            raise pynvml.NVMLError(code)
        if code not in UNAVAILABLE and self.error is None:
            self.error, self.text = code, f"{call}: {pynvml.NVMLError(code)}"
