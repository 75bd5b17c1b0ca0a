"""The files of the page, read when the program starts, and the headers that go with them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from aiohttp import web

from agent.replies import Handler, RefusedError

FILES = Path(__file__).parent / "files"
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# Nothing but our own files, and no way to make code of text (`require-trusted-types-for`).
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # kept, but asked about: a new release shows at once
}


class File(msgspec.Struct, frozen=True):
    """One file as it is sent."""

    body: bytes
    kind: str
    tag: str


def read(directory: Path = FILES) -> dict[str, File]:
    """Return every file of the page by its name."""
    paths = sorted(path for path in directory.iterdir() if path.suffix in KINDS)
    return {path.name: _file(path.read_bytes(), KINDS[path.suffix]) for path in paths}


def _file(body: bytes, kind: str) -> File:
    return File(body, kind, hashlib.sha256(body).hexdigest()[:20])


def one(file: File) -> Handler:
    """Return the handler that sends a file."""

    async def handle(request: web.Request) -> web.Response:
        return send(request, file)

    return handle


def any_of(files: Mapping[str, File]) -> Handler:
    """Return the handler that sends the file that `{name}` in the path means."""

    async def handle(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in files or name.endswith(".html"):
            raise RefusedError(404, f"no file {name!r} of the page")
        return send(request, files[name])

    return handle


def send(request: web.Request, file: File) -> web.Response:
    """Answer with a file, or that the browser has it already."""
    headers = {**HEADERS, "ETag": f'"{file.tag}"'}
    if any(tag.value == file.tag for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=file.body, content_type=file.kind, charset="utf-8", headers=headers)
