"""A container image, on the host before the engine that needs it is stopped."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from typing_extensions import override


class HasImage(FactBase[bool]):
    """Tells whether Docker has the image; pinned by digest, it can be no other."""

    @override
    @staticmethod
    def default() -> bool:
        return False

    @override
    def command(self, image: str) -> StringCommand:
        ask = "docker image inspect -f present"
        return StringCommand(ask, QuoteString(image), "2>/dev/null || true")

    @override
    def process(self, output: list[str]) -> bool:
        return output == ["present"]


@operation()
def image(reference: str) -> Generator[StringCommand]:
    """Pull the image unless it is there."""
    if host.get_fact(HasImage, image=reference):
        host.noop(f"{reference} is there")
        return
    yield StringCommand("docker pull -q", QuoteString(reference))
