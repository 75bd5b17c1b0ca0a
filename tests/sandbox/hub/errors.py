"""The Hub's error answers, told apart by `huggingface_hub` through two headers."""

from __future__ import annotations

from aiohttp import web


class HubError(Exception):
    """An error answer: HTTP status, the Hub's error code (may be empty), and one sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> web.Response:
        """This error as the Hub sends it: JSON body plus X-Error-Code and X-Error-Message."""
        headers = {"X-Error-Message": self.message}
        if self.code:
            headers["X-Error-Code"] = self.code
        return web.json_response({"error": self.message}, status=self.status, headers=headers)


def revision_not_found(revision: str) -> HubError:
    return HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")


def entry_not_found(path: str) -> HubError:
    return HubError(404, "EntryNotFound", f"Entry not found: {path}")
